"""Every letter of a formula stands in the notation: for all notebooks, or in a row that names this one."""

import re

from cells import FOLDER, each_named, prose

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


@each_named
def test_every_letter_of_a_formula_stands_in_the_notation(name, cells):
    rows = [row for row in OF_ONE_SECTION.splitlines() if f"]({name}.ipynb)" in row]
    told = symbols(FOR_ALL) | symbols("\n".join(rows)) | WITHOUT_A_ROW
    assert symbols(prose(cells)) <= told, symbols(prose(cells)) - told


def test_a_letter_without_a_row_would_be_found():
    assert symbols(r"the width $\tau_n / \sqrt{Q}$ of `code`") == {"tau", "n", "Q"}
    assert "tau" not in symbols(FOR_ALL)
