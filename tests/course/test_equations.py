"""Every displayed equation of the notebooks has a number, every number a check after it, and every check a number."""

import re
from collections import Counter

import pytest
from cells import NOTEBOOKS, code, each_named, each_notebook, printed, prose

from kdcourse.exercises.versions import source

DISPLAYED = re.compile(r"\$\$(.*?)\$\$", re.DOTALL)
TAG = re.compile(r"\\tag\{(.*?)\}")
CHECK = re.compile(r"""(?<!exercises\.)\bcheck\(\s*["']([^"']+)["']""")


def problems(cells):
    """What is wrong between numbers and checks, in words; the checks of a cell's equations stand before the next's."""
    found, waiting, seen = [], [], Counter()
    for kind, text in [*cells, ("markdown", "$$ \\tag{end} $$")]:
        if kind == "markdown" and (formulas := DISPLAYED.findall(text)):
            found += [f"({number}) has no check before the next equation" for number in waiting]
            numbers = [TAG.findall(formula) for formula in formulas]
            found += [
                f"one tag a formula, please: {formula.strip()}"
                for formula, tags in zip(formulas, numbers, strict=True)
                if len(tags) != 1
            ]
            waiting = [tag for tags in numbers for tag in tags]
            seen.update(waiting)
        elif kind == "code":
            for number in CHECK.findall(text):
                found += [] if number in waiting else [f"check {number} follows no equation of that number"]
                waiting = [other for other in waiting if other != number]
    return found + [f"({number}) is there {times} times" for number, times in seen.items() if times > 1]


@each_notebook
def test_equations_and_checks_match_both_ways(cells):
    assert problems([(cell["cell_type"], source(cell)) for cell in cells]) == []


@each_named
def test_numbers_belong_to_their_notebook_and_rise_by_one(name, cells):
    chapter = re.match(r"0*(\d+[a-z]?)_", name)[1]
    tags = TAG.findall(prose(cells))
    assert tags == [f"{chapter}.{place}" for place in range(1, len(tags) + 1)]


@each_notebook
def test_a_numbered_formula_is_one_line_which_mathjax_can_number_everywhere(cells):
    formulas = DISPLAYED.findall(prose(cells))
    assert [formula for formula in formulas if "\\\\" in formula or "\n" in formula.strip()] == []


@each_notebook
def test_each_check_printed_that_it_holds(cells):
    for cell in code(cells):
        if numbers := CHECK.findall(source(cell)):
            holds = r"^\((.+?)\) holds to \S+ on 1,000 draws; an error of 1 % would have shown\.$"
            assert re.findall(holds, printed([cell]), re.MULTILINE) == numbers


def test_the_theory_notebooks_have_thirty_equations_at_least():
    theory = [cells for name, cells in NOTEBOOKS.items() if re.match(r"0[123]", name)]
    assert sum(len(TAG.findall(prose(cells))) for cells in theory) >= 30


GOOD = [
    ("markdown", "$$a = b \\tag{1.1}$$ and $$c = d \\tag{1.2}$$"),
    ("code", 'check("1.1", f)'),
    ("code", "check('1.2', f)"),
]
LATER = ("markdown", "$$e \\tag{1.3}$$")
BROKEN = {
    "one tag a formula": [("markdown", "$$a = b$$")],
    "(1.2) has no check": [GOOD[0], GOOD[1], LATER, GOOD[2]],
    "check 1.1 follows no equation": GOOD[1:],
    "(1.1) is there 2 times": [*GOOD, *GOOD],
}


def test_what_is_in_order_passes():
    assert problems(GOOD) == []


@pytest.mark.parametrize("message, cells", BROKEN.items(), ids=BROKEN)
def test_what_is_not_in_order_is_named(message, cells):
    assert any(message in problem for problem in problems(cells))
