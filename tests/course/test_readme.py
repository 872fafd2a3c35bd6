"""What the README shows in code runs and prints what stands below it; the demo's numbers are the recorded ones."""

import re

import pytest
from conftest import ROOT

from kdcourse.demo import finding
from kdcourse.records import recorded
from kdlearn import Comparison

README = (ROOT / "README.md").read_text(encoding="utf-8")
NUMBER = r"[+-]?[\d,]*\.?\d+"


def demo_block() -> str:
    """What stands between the marks `demo` of the book's first numbers."""
    comparison = Comparison.load(recorded("demo") / "comparison.parquet")
    return f"```text\n{comparison}\n```\n\n{finding(comparison)}\n"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_the_table_and_the_finding_are_the_recorded_ones():
    page = (ROOT / "book/first_numbers.md").read_text(encoding="utf-8")
    shown = re.search(r"<!-- demo:.*?-->\n(.*?)<!-- /demo -->", page, re.DOTALL)[1]
    assert " ".join(shown.split()) == " ".join(demo_block().split())


@pytest.mark.release
def test_the_examples_run_and_print_what_is_shown(capsys):
    """Words as they stand; numbers may differ as much as machines do, by a point."""
    for example in blocks("python"):
        exec(compile(example, "README.md", "exec"), {})
    printed, shown = capsys.readouterr().out, blocks("text")[0]
    assert re.sub(NUMBER, "·", " ".join(printed.split())) == re.sub(NUMBER, "·", " ".join(shown.split()))
    values = [[float(value.replace(",", "")) for value in re.findall(NUMBER, text)] for text in (printed, shown)]
    assert values[0] == pytest.approx(values[1], abs=1)


def test_links_lead_somewhere():
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target
