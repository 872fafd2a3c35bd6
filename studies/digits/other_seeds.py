"""Do notebooks 00, 00b, 04, 08 and 10b hold what they assert with other splits, teachers and seeds?

`python studies/digits/other_seeds.py 1 2 3` runs each with these numbers for its SEED, a minute a notebook, and stops
at the first cell that fails. Nothing is written.
"""

import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

FOLDER = Path(__file__).parents[2] / "notebooks"
LINE = "SEED = 0"


def run(path: Path, seed: int) -> None:
    """Execute a notebook with another SEED; a failing cell is a CellExecutionError that shows it."""
    notebook = nbformat.read(path, as_version=4)
    cells = [cell for cell in notebook.cells if LINE in cell.source]
    if len(cells) != 1:
        raise ValueError(f"{path.name} must set {LINE} in one cell; it does in {len(cells)}")
    cells[0].source = cells[0].source.replace(LINE, f"SEED = {seed}")
    NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(FOLDER)}}).execute()


if __name__ == "__main__":
    for seed in map(int, sys.argv[1:]):
        for pattern in ("00_*", "00b_*", "04_*", "08_*", "10b_*"):
            (path,) = FOLDER.glob(f"{pattern}.ipynb")
            run(path, seed)
            print(f"{path.stem} holds with SEED = {seed}", flush=True)
