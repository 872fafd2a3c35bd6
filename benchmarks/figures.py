"""How soon each figure loads from a file and redraws, with 1,000 classes too.

python benchmarks/figures.py

Needs Chromium. Load: from the start of the navigation to the end of the load event. Redraw: from the start of the
temperature's input handler to the end of synchronous drawing, forced layout included.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
from playwright.sync_api import sync_playwright

sys.path += [str(Path(__file__).parents[1] / "tests")]
from conftest import CHROMIUM, FLAGS

from kdcourse.figures import (
    DarkKnowledge,
    DrawADigit,
    Figure,
    LossExplorer,
    Simplex,
    SpeakADigit,
    TemperatureExplorer,
    TypeASentence,
)

REDRAW = """() => {
  const section = document.querySelector(".kdlearn-figure").shadowRoot.querySelector("section");
  const slider = section.querySelector("input[type=range]");
  return Array.from({ length: 200 }, (_, turn) => {
    slider.value = Math.sin(turn);
    const start = performance.now();
    slider.dispatchEvent(new Event("input", { bubbles: true }));
    section.getBoundingClientRect();
    return performance.now() - start;
  });
}"""


def figures() -> dict[str, Figure]:
    rows = np.random.default_rng(0).normal(0, 2, (4, 1000))
    return {
        "draw a digit": DrawADigit(),
        "speak a digit": SpeakADigit(),
        "type a sentence": TypeASentence(),
        "simplex": Simplex(),
        "loss, 5 classes": LossExplorer(),
        "loss, balance": LossExplorer(view="balance"),
        "temperature, 10 classes": TemperatureExplorer(rows[:, :10]),
        "temperature, 1,000 classes": TemperatureExplorer(rows),
        "loss, 1,000 classes": LossExplorer(rows[0], rows[1]),
        "dark knowledge, 1,000 classes": DarkKnowledge(rows, [3, 999, 5, 3], np.zeros((4, 8, 8))),
    }


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        for name, figure in figures().items():
            path = Path(folder) / "figure.html"
            figure.save(path)
            page = browser.new_page()
            page.goto(path.as_uri())
            load = page.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd")
            times = page.evaluate(REDRAW)
            told = f"redraw median {np.median(times):5.2f} ms, 99th percentile {np.percentile(times, 99):5.2f} ms"
            print(f"{name:32s} load {load:5.0f} ms; {told}")
            page.close()
        browser.close()


if __name__ == "__main__":
    main()
