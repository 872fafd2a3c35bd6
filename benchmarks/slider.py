"""How soon a temperature slider answers: ours beside `ipywidgets.interact` with matplotlib, in the same JupyterLab.

python benchmarks/slider.py

Needs Chromium. Drawing: from the start of the input handler to the end of synchronous drawing, forced layout included,
ten classes. Frame: from a key press to the frame that shows its effect; for `interact` the frame with the new image.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import nbformat
import numpy as np
from playwright.sync_api import sync_playwright

sys.path += [str(Path(__file__).parents[1] / "tests"), str(Path(__file__).parents[1] / "tests/course/figures")]
from conftest import CHROMIUM, FLAGS
from jupyterlab_in_browser import jupyterlab, opened, run_all

CELLS = (
    """from kdcourse.figures import TemperatureExplorer
import numpy as np
logits = np.random.default_rng(0).normal(0, 3, 10)
TemperatureExplorer(logits)""",
    """import matplotlib.pyplot as plt
from ipywidgets import FloatLogSlider, interact
@interact(temperature=FloatLogSlider(1, min=-1, max=2, step=0.005))
def draw(temperature):
    p = np.exp(logits / temperature - np.max(logits / temperature))
    plt.figure(figsize=(6.4, 3.6))
    plt.bar(range(10), p / p.sum())
    plt.ylim(0, 1)
    plt.show()""",
)

DRAWING = """count => {
  const host = document.querySelector(".jp-Notebook [data-lm-suppress-shortcuts]");
  const section = host.shadowRoot.querySelector("section");
  const slider = section.querySelector("input[type=range]");
  const times = [];
  for (let turn = 0; turn < count; turn += 1) {
    slider.value = 2 * Math.sin(turn);
    const start = performance.now();
    slider.dispatchEvent(new Event("input", { bubbles: true, composed: true }));
    section.getBoundingClientRect();
    times.push(performance.now() - start);
  }
  return times;
}"""

# After the next frame is painted: a message that is sent in its animation frame.
WATCH = """() => {
  window.painted = () => new Promise((resolve) => requestAnimationFrame(() => {
    const channel = new MessageChannel();
    channel.port1.onmessage = () => resolve(performance.now());
    channel.port2.postMessage(0);
  }));
  document.addEventListener("keydown", (event) => { window.pressed = event.timeStamp; window.took = 0; }, true);
  document.addEventListener("input", async () => { window.took = (await painted()) - pressed; });
  const outputs = document.querySelectorAll(".jp-Notebook .jp-Cell")[1].querySelector(".jp-Cell-outputWrapper");
  new MutationObserver(async (changes) => {
    const image = changes.flatMap((change) => [...change.addedNodes])
      .map((node) => node.matches?.("img") ? node : node.querySelector?.("img")).find(Boolean);
    if (!image) return;
    await image.decode();
    window.took = (await painted()) - pressed;
  }).observe(outputs, { childList: true, subtree: true });
}"""


def frames(page, slider, count: int) -> list[float]:
    """Milliseconds from a key press to its frame, one key after the other has shown."""
    slider.focus()
    times = []
    for turn in range(count):
        page.keyboard.press("ArrowRight" if turn % 20 < 10 else "ArrowLeft")
        times.append(page.wait_for_function("window.took").json_value())
        page.wait_for_timeout(30 + 17 * (turn % 3) / 3)
    return times


def told(name: str, times: list[float]) -> str:
    return f"{name:32s} median {np.median(times):7.2f} ms, 99th percentile {np.percentile(times, 99):7.2f} ms"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=200, help="key presses on each slider (default: 200)")
    count = parser.parse_args().count
    with (
        tempfile.TemporaryDirectory() as home,
        tempfile.TemporaryDirectory() as folder,
        sync_playwright() as playwright,
    ):
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code) for code in CELLS])
        notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        nbformat.write(notebook, Path(folder) / "slider.ipynb")
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        with jupyterlab(Path(home), Path(folder)) as lab:
            page = opened(browser, lab, "slider.ipynb")
            run_all(page)
            ours = page.locator("section.figure input[type=range]").first
            theirs = page.locator(".jp-Cell >> nth=1 >> .noUi-handle")
            page.wait_for_selector(".jp-Cell >> nth=1 >> img", timeout=60_000)
            print(told("kdlearn, drawing", page.evaluate(DRAWING, 2000)))
            page.evaluate(WATCH)
            mine, matplotlib = frames(page, ours, count), frames(page, theirs, count)
        browser.close()
    print(told("kdlearn, frame", mine), told("interact and matplotlib, frame", matplotlib), sep="\n")
    print(f"ratio of the medians {np.median(matplotlib) / np.median(mine):.1f}")


if __name__ == "__main__":
    main()
