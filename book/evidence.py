"""The book's page of evidence, made whenever the book is built: each claim, what checks it, and what runs it again."""

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
from records import STUDIES, claims, path_of, plan_of, record_of
from trial import NOTEBOOKS, address, evidence, several, table

from kdcourse.claims import Claim, load_claims
from kdlearn.data.files import read_json
from kdlearn.formulas.intervals import Interval

OPENING = """# Evidence

Each claim of this course, what checks it, where its numbers stand, how often it was repeated, and the command that runs
it again. This page is made from the records and the notebooks when the book is built; no number in it is typed.
"""


def write_evidence(path: Path) -> None:
    """The page as Markdown."""
    lines = [OPENING, *planned_claims(), *claims_on_the_article(), *equations(), *assertions()]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


# ---- planned claims


def planned_claims() -> Iterator[str]:
    yield "## Planned claims\n"
    yield (
        "They were written down before their study ran. Intervals are 95 %, Student's t over the replicates, "
        "unadjusted; p is corrected by Holm's procedure within a study. The unit of each claim stands in its plan. "
        "`tests/course` checks that each record belongs to its plan.\n"
    )
    for study in recorded_studies():
        yield from claims_of(study)


def recorded_studies() -> Iterator[str]:
    """Those with planned claims whose record is there."""
    for path in sorted(STUDIES.glob("*/plan.py")):
        study = path.parent.name
        if "def planned(" in path.read_text(encoding="utf-8") and path_of(study).exists():
            yield study


def claims_of(study: str) -> Iterator[str]:
    plan, path, record = plan_of(study), path_of(study), record_of(study)
    often = getattr(plan, "REPEATED", "") or repeated(record if isinstance(record, pd.DataFrame) else record.table)
    yield f"### {study}\n"
    yield f"{often}. Record: `studies/{path.relative_to(STUDIES).as_posix()}`. Runs it again: `{command_of(plan)}`.\n"
    yield from table(
        "evidence", ["claim", "mean and interval", "p, corrected"], *(row_of(*one) for one in claims(study).items())
    )


def row_of(name: str, one: Interval) -> Sequence[str]:
    return [name, format(one, "+.2f" if one.half_width > 0.05 else "+.4f"), f"{one.p_value:.2g}"]


def repeated(rows: pd.DataFrame) -> str:
    seeds = int(rows.groupby("replicate")["seed"].nunique().max())
    return f"{several(rows['replicate'].nunique(), 'teacher')} × {several(seeds, 'seed')}"


def command_of(plan: ModuleType) -> str:
    found = re.search(r"Command:\s+`([^`]+)`", plan.__doc__ or "")
    if not found:
        raise ValueError(f"{plan.__file__}: its docstring must name its command, as in: Command: `python studies/…`")
    return found[1]


# ---- the article


def claims_on_the_article() -> Iterator[str]:
    yield "## Claims on the article\n"
    yield (
        "All verdicts stand in [one table](article/claims.md). `pytest tests/course/test_claims.py` checks that each "
        "piece of evidence is there, and that each interval lies where the verdict says.\n"
    )
    rows = [[f"`{one.id}`", one.verdict, "<br>".join(pieces(one)), again(one)] for one in load_claims()]
    yield from table("evidence", ["claim", "verdict", "evidence", "runs it again"], *rows)


def pieces(claim: Claim) -> Iterator[str]:
    for one in claim.evidence:
        yield evidence(one).replace("](../notebooks", "](notebooks")


def again(claim: Claim) -> str:
    return "<br>".join(dict.fromkeys(f"`{command}`" for one in claim.evidence for command in commands(one)))


def commands(one: Mapping[str, Any]) -> Iterator[str]:
    if "equation" in one:
        yield f"pytest --nbval {address(one['equation'].split('.')[0]).removeprefix('../')}"
    elif "notebook" in one:
        yield f"pytest --nbval notebooks/{one['notebook']}.ipynb"
    elif "record" in one:
        yield maker(one["record"])


def maker(record: str) -> str:
    """What makes a record: the script of its name, or else the plan of its folder; a README tells of a former one."""
    folder, _, name = record.partition("/")
    for path in (STUDIES / folder / f"{Path(name).stem}.py", STUDIES / folder / "plan.py"):
        if path.exists():
            found = re.search(r"Command:\s+`([^`]+)`", path.read_text(encoding="utf-8"))
            return found[1] if found else f"python studies/{folder}/{path.name}"
    return f"see studies/{folder}/README.md"


# ---- notebooks


def equations() -> Iterator[str]:
    yield "## Equations\n"
    yield "The cell below an equation evaluates it on many draws, and does so again when the notebook is tested.\n"
    rows = []
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        numbers = re.findall(r'\bcheck\("([\d.b]+)"', "\n".join(code_of(path).values()))
        if numbers:
            listed = ", ".join(f"({number})" for number in dict.fromkeys(numbers))
            rows.append([linked(path), listed, f"`pytest --nbval notebooks/{path.name}`"])
    yield from table("evidence", ["notebook", "equations with a check", "runs it again"], *rows)


def assertions() -> Iterator[str]:
    yield "## What the notebooks assert of trainings\n"
    yield (
        "An assertion with a message is a claim about what was trained in the notebook, with one teacher where nothing "
        "else is said. The notebook stops where it fails. Checks of formulas and of shapes are not listed.\n"
    )
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        rows = [[f"`{cell}`", f"`{claim}`"] for cell, text in code_of(path).items() for claim in asserted(text)]
        if rows:
            yield f"### {linked(path)}\n\n`pytest --nbval notebooks/{path.name}`\n"
            yield from table("evidence", ["cell", "what is asserted"], *rows)


def linked(path: Path) -> str:
    return f"[{path.stem.split('_')[0]}](notebooks/{path.name})"


def code_of(path: Path) -> dict[str, str]:
    """By the cell's name, its code."""
    cells = read_json(path)["cells"]
    return {cell["id"]: "".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"}


def asserted(text: str) -> Iterator[str]:
    try:
        tree = ast.parse(text)
    except SyntaxError:  # a cell with a magic
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Assert) and node.msg:
            yield ast.unparse(node.test)
