"""The form that every notebook keeps. That each runs and prints what it stores is checked by `pytest --nbval`."""

import re
import sys
from types import ModuleType

import pytest
from cells import FOLDER, NOTEBOOKS, code, each_notebook, prose

import kdlearn
from kdcourse.exercises.versions import source, tags
from kdcourse.figures import KINDS
from kdcourse.figures.figure import LIVE, script

FIGURES = {figure.tag: figure for figure in KINDS}


def words(cell: dict) -> int:
    prose = re.sub(r"```.*?```|\$\$.*?\$\$|\$[^$]*\$|<[^>]+>|\||https?://\S+", " ", source(cell), flags=re.DOTALL)
    return len([word for word in prose.split() if any(letter.isalnum() for letter in word)])


def beside_the_exercises(cells: list[dict]) -> list[dict]:
    """Up to what was learned, without Colab's cell, optional ones, and texts that answer a prediction."""
    last = next(place for place, cell in enumerate(cells) if "## What we learned" in source(cell))
    return [cell for cell in cells[: last + 1] if not {"reveal", "optional", "colab"} & {*tags(cell)}]


class Shell:
    """What a cell asks of IPython, noted down instead of carried out."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def run_line_magic(self, name: str, line: str) -> None:
        self.asked.append(f"%{name} {line}")

    def system(self, command: str) -> None:
        self.asked.append(command)


def lines_of_code(cell: dict) -> list[str]:
    """Without the marks around a solution."""
    return [line for line in source(cell).splitlines() if not line.strip().startswith("### ")]


@each_notebook
def test_length(cells):
    most = 50 if "**reference chapter**" in source(cells[0]) else 40
    assert 20 <= len(beside_the_exercises(cells)) <= most
    assert max(len(lines_of_code(cell)) for cell in code(cells)) <= 15
    assert max(words(cell) for cell in cells if cell["cell_type"] == "markdown") <= 100
    assert max(len(line) for cell in code(cells) for line in source(cell).splitlines()) <= 88


@each_notebook
def test_it_opens_with_the_question_and_closes_with_what_was_learned(cells):
    opening = source(cells[0])
    assert opening.startswith("# ") and words(cells[0]) <= 70
    assert all(f"**{part}" in opening for part in ("The question", "You need", "It takes"))
    told = prose(cells)
    assert re.search("predict", told, re.IGNORECASE)
    assert told.index("## What we learned") < told.index("**Exercise 1.")


@each_notebook
@pytest.mark.parametrize("on_colab", [True, False])
def test_its_first_code_cell_installs_on_colab_and_does_nothing_elsewhere(cells, on_colab, monkeypatch):
    shell, first = Shell(), code(cells)[0]
    if on_colab:
        monkeypatch.setitem(sys.modules, "google.colab", ModuleType("google.colab"))
    exec(source(first), {"get_ipython": lambda: shell})
    wheel = f"file:///content/kdlearn_course-{kdlearn.__version__}-py3-none-any.whl"
    installs = [f'%pip install --quiet "kdlearn-course[course] @ {wheel}"', "kdlearn start ."]
    assert shell.asked == (installs if on_colab else [])
    assert cells[1] == first and first["outputs"] == [] and "remove-cell" in tags(first), "the book leaves it out"


@each_notebook
def test_it_names_no_command_that_only_the_repository_has(cells):
    """A wheel brings the notebooks, and neither a Makefile nor the scripts."""
    told = "\n".join(source(cell) for cell in cells)
    assert not re.search(r"`make [a-z]+|^make [a-z]+$|python (studies|book|teaching|benchmarks)/", told, re.MULTILINE)


@each_notebook
def test_exercises_are_of_three_kinds_with_hints_and_folded_solutions_and_one_is_on_data_of_ones_own(cells):
    tasks = [source(cell) for cell in cells if "task" in tags(cell)]
    kinds = {re.match(r"\*\*Exercise \d\..*?\*\* \*(Predict|Derive|Build)\.\*", task)[1] for task in tasks}
    assert len(tasks) >= 5 and kinds == {"Predict", "Derive", "Build"}
    assert all(task.count("<details>") >= 2 for task in tasks), "hints to be opened one by one"
    assert re.search("your own", tasks[-1], re.IGNORECASE) and "No outcome is wrong" in tasks[-1]
    solutions = [cell for cell in code(cells) if "answer" in tags(cell)]
    assert all(cell["metadata"]["jupyter"]["source_hidden"] for cell in solutions)


@each_notebook
def test_three_questions_tell_of_each_answer_why(cells):
    questions = [source(cell) for cell in cells if "quiz" in tags(cell)]
    assert len(questions) == 3
    for question in questions:
        options = re.findall(r"<details><summary>[a-d]\) .+?</summary>\n\n(Yes|No)\. .{15,}", question)
        assert len(options) == question.count("<details>") >= 3 and options.count("Yes") == 1


@each_notebook
def test_it_was_run_from_top_to_bottom_without_complaint(cells):
    assert [cell["execution_count"] for cell in code(cells)] == list(range(1, len(code(cells)) + 1))
    for cell in code(cells):
        assert "execution" not in cell["metadata"]
        failed = any(output["output_type"] == "error" for output in cell["outputs"])
        assert failed == ("raises-exception" in tags(cell)), "an error is there where it is announced, and only there"
        for output in cell["outputs"]:
            assert output.get("name") != "stderr"
            assert not {"application/vnd.jupyter.widget-view+json", "image/svg+xml"} & output.get("data", {}).keys()


@each_notebook
def test_cells_have_ids_that_do_not_change(cells):
    ids = [cell["id"] for cell in cells]
    assert len(set(ids)) == len(ids) and not any(re.fullmatch(r"[0-9a-f-]{36}|[0-9a-f]{8}", name) for name in ids)


@each_notebook
def test_what_depends_on_the_machine_is_asserted_soon_after(cells):
    listed = code(cells)
    for place, cell in enumerate(listed):
        if "nbval-ignore-output" in tags(cell):
            judging = [*listed[place + 1 : place + 3], *([cell] if "answer" in tags(cell) else [])]
            assert any("assert" in source(one) or "check" in tags(one) for one in judging), source(cell)


@each_notebook
def test_pictures_have_alternative_text(cells):
    for cell in code(cells):
        for output in cell["outputs"]:
            if "image/png" in output.get("data", {}):
                alternative = re.match(r'<img alt="([^"]+)" src="data:image/png', "".join(output["data"]["text/html"]))
                assert alternative and len(alternative[1].split()) >= 6


@each_notebook
def test_figures_carry_the_modules_of_the_package_and_a_picture_for_where_they_cannot_run(cells):
    for cell in code(cells):
        for output in cell["outputs"]:
            page = "".join(output.get("data", {}).get("text/html", ""))
            if "<script" in page:
                tag = re.match(r'<(kdlearn-\w+) class="kdlearn-figure">\n<img alt=', page)[1]
                assert tag in FIGURES and page.endswith(script(FIGURES[tag])), "`make notebooks` stores today's modules"
                beside_a_network = re.sub(r'"weights": "[^"]*"', "", page)
                assert LIVE in page and len(beside_a_network) <= 130_000


@pytest.mark.parametrize(
    "chapter, figure",
    [
        ("00", "Temperature"),
        ("01", "DarkKnowledge"),
        ("02", "Temperature"),
        ("03", "Loss"),
        ("04", "Playground"),
        ("11", "Type"),
    ],
)
def test_these_notebooks_have_their_figure(chapter, figure):
    (cells,) = (cells for name, cells in NOTEBOOKS.items() if name.startswith(f"{chapter}_"))
    assert any(re.search(rf"^{figure}\w*\(", source(cell), re.MULTILINE) for cell in code(cells))


@each_notebook
def test_links_between_notebooks_lead_somewhere(cells):
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", prose(cells)):
        assert (FOLDER / target).exists(), target
