"""`kdlearn explore`: the interactive figures as one page."""

import tempfile
import webbrowser
from pathlib import Path
from typing import Annotated

from typer import Option

from kdcourse.commands.start import notebooks_folder
from kdlearn.commands.folders import check_can_be_made, path
from kdlearn.commands.messages import complain, say
from kdlearn.data.extras import extra


def explore(
    out: Annotated[
        Path | None,
        Option(parser=path, metavar="FILE", help="keep the page here; a temporary file by default", show_default=False),
    ] = None,
    overwrite: Annotated[bool, Option("--overwrite", help="replace FILE if it is there already")] = False,
    no_open: Annotated[bool, Option("--no-open", help="write the page, open no browser")] = False,
) -> None:
    """The interactive figures in a browser, without Jupyter or a network."""
    page = out or Path(tempfile.mkdtemp(prefix="kdlearn-")) / "figures.html"
    if page.is_dir():
        raise IsADirectoryError(f"--out must name a file; {page} is a folder")
    if page.exists() and not overwrite:
        raise FileExistsError(f"{page} is there already; choose another --out, or add --overwrite")
    check_can_be_made(page.absolute().parent)
    with extra("course"):
        from kdcourse.figures import save
    save(figures_of_the_course(), page, title="kdlearn: the figures")
    say(page)
    if not no_open and not webbrowser.open(page.resolve().as_uri()):
        complain("no browser was found here; open this file in one")


def figures_of_the_course() -> list:
    """Each figure with the numbers that the notebooks use: a teacher's on digits, those first that it finds hardest."""
    import numpy as np

    from kdcourse import figures

    with np.load(notebooks_folder() / "digits_logits.npz") as file:
        logits, labels, images = (file[name] for name in ("teacher_logits", "labels", "images"))
    hardest = np.argsort(np.sort(logits, axis=1)[:, -2:] @ [-1, 1])[:12]
    given = {
        figures.TemperatureExplorer: (logits[hardest], None, images[hardest], labels[hardest], (logits, labels)),
        figures.DarkKnowledge: (logits[:60], labels[:60], images[:60]),
    }
    return [kind(*given.get(kind, ())) for kind in figures.KINDS]
