"""How fast the playground learns and redraws in headless Chromium: twenty seeds, two students each.

python benchmarks/playground.py
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import sync_playwright

from kdcourse.figures import Playground

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from conftest import CHROMIUM, FLAGS

SECONDS = 5
# A redraw paints the regions of both students; a frame that lasts long is one in which an input waits.
COUNT = """
  globalThis.painted = 0;
  globalThis.longest = 0;
  const put = CanvasRenderingContext2D.prototype.putImageData;
  CanvasRenderingContext2D.prototype.putImageData = function (image, ...place) {
    if (image.width > 20) globalThis.painted += 0.5;
    put.call(this, image, ...place);
  };
  new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) globalThis.longest = Math.max(globalThis.longest, duration);
  }).observe({ entryTypes: ["longtask"] });
"""
SEEN = """(step) => [performance.now() / 1000, Number(step.textContent.match(/\\d+/)[0]), painted]"""


def main() -> None:
    with TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        for data_set, points in (("blobs", 40), ("blobs", 400), ("spiral", 40)):
            path = Path(folder, "playground.html")
            Playground(data_set=data_set, labelled_points=points).save(path)
            page = browser.new_page()
            page.add_init_script(COUNT)
            page.goto(path.as_uri())
            step = page.get_by_text("of 1000")
            page.get_by_role("button", name="Start").click()
            step.evaluate("globalThis.longest = 0")
            start = step.evaluate(SEEN)
            page.wait_for_timeout(1000 * SECONDS)
            seconds, steps, redraws = (now - then for now, then in zip(step.evaluate(SEEN), start, strict=True))
            print(
                f"{data_set}, {points} points: {steps / seconds:.0f} mini-batches a second for each of 40 students, "
                f"{redraws / seconds:.0f} redraws a second, the longest frame {page.evaluate('longest'):.0f} ms"
            )
            page.close()
        browser.close()


if __name__ == "__main__":
    main()
