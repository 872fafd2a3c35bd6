"""Every letter of a formula stands in the notation: for all notebooks, or in a row that names this one."""

import re
from pathlib import Path

import pytest

from kdlearn.data.files import read_json

FOLDER = Path(__file__).parents[2] / "notebooks"
FOR_ALL, OF_ONE_SECTION = (FOLDER / "notation.md").read_text(encoding="utf-8").split("## Letters of one section")
GREEK = (
    "alpha|beta|gamma|delta|epsilon|varepsilon|zeta|eta|theta|kappa|lambda|mu|nu|xi|pi|rho|sigma|tau|phi|varphi|chi|psi"
    "|omega|Gamma|Delta|Theta|Lambda|Sigma|Phi|Psi|Omega|ell"
)
WORDS = re.compile(r"\\(?:text|mathrm|texttt|operatorname|tag|label|begin|end)\{[^}]*\}")
WITHOUT_A_ROW = {*"ijk", "r"} | {"e", "d", "O"}  # indices; Euler's number, a differential, an order


def symbols(text: str) -> set[str]:
    """The single letters, Latin and Greek, of the formulas in a text."""
    found = set()
    for formula in re.findall(r"\$\$.*?\$\$|\$[^$]+\$", text, flags=re.DOTALL):
        formula = WORDS.sub(" ", formula)
        found |= set(re.findall(rf"\\({GREEK})(?![A-Za-z])", formula))
        found |= set(re.findall(r"(?<![A-Za-z])([A-Za-z])(?![A-Za-z])", re.sub(r"\\[A-Za-z]+", " ", formula)))
    return found


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.ipynb")), ids=lambda path: path.stem)
def test_every_letter_of_a_formula_stands_in_the_notation(path):
    rows = [row for row in OF_ONE_SECTION.splitlines() if f"]({path.name})" in row]
    told = symbols(FOR_ALL) | symbols("\n".join(rows)) | WITHOUT_A_ROW
    prose = ["".join(cell["source"]) for cell in read_json(path)["cells"] if cell["cell_type"] == "markdown"]
    assert symbols("\n\n".join(prose)) <= told, symbols("\n\n".join(prose)) - told


def test_a_letter_without_a_row_would_be_found():
    assert symbols(r"the width $\tau_n / \sqrt{Q}$ of `code`") == {"tau", "n", "Q"}
    assert "tau" not in symbols(FOR_ALL)
