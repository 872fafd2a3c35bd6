"""What the figures' tests ask: their functions in Node, and in a page their state, their numbers and their words."""

import json
import math
import re
import shutil
import subprocess
from collections.abc import Callable
from importlib.util import find_spec

from conftest import require

import kdcourse
from kdcourse.figures.figure import FOLDER


def node(script: str, given: object = None, module: str = "playground") -> object:
    """What the body of a function returns that sees learning.js as `L`, a module as `P`, and `given`, as JSON."""
    program = shutil.which("node")
    require(program is not None, "the figures' JavaScript is tested in Node: install Node.js 18 or newer")
    text = f"""import * as L from "{(FOLDER / "learning.js").as_uri()}";
    import * as P from "{(FOLDER / f"{module}.js").as_uri()}";
    const run = (given) => {{ {script} }};
    console.log(JSON.stringify(run({json.dumps(given)})));"""
    command = [program, "--no-warnings", "--input-type=module", "-"]
    result = subprocess.run(command, input=text, capture_output=True, text=True, encoding="utf-8")
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def state(page, name: str, anchor: str = "") -> object:
    """A value of the page's first figure, or of the one that an address calls `anchor`."""
    find = "[...kdlearnStates.values()].find((one) => !anchor || one.anchor === anchor).values[name]"
    return page.evaluate(f"([name, anchor]) => {find}", [name, anchor])


def numbers(locator) -> list[float]:
    """What is written in each, without a percent sign; NaN for words, and nothing is 0."""
    texts = [text.replace("\u00a0%", "").replace("−", "-") or "0" for text in locator.all_text_contents()]
    return [float(text) if re.fullmatch(r"[-+]?[\d.]+", text) else math.nan for text in texts]


def words(page) -> str:
    """What stands in the first figure, without no-break spaces."""
    return page.locator("section.figure").first.inner_text().replace("\u00a0", " ")


def drag(page, start: tuple[float, float], *places: tuple[float, float]) -> None:
    page.mouse.move(*start)
    page.mouse.down()
    for place in places:
        page.mouse.move(*place)
    page.mouse.up()


def sentence_teacher() -> Callable:
    there = find_spec("py3langid") is not None
    require(there, 'the teacher is py3langid: python -m pip install "kdlearn-course[text]"')
    return kdcourse.py3langid_teacher()
