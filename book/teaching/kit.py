"""The class kit: book, slides, figures and the learner's notebooks in one file that needs no network.

`python book/teaching/kit.py BOOK SLIDES FILE.zip` packs the built book and the built slides.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import typer

HERE = Path(__file__).parent
LEFT_OUT = shutil.ignore_patterns(".*", "*.pickle", "*.inv")


def write_kit(book: Path, slides: Path, archive: Path) -> Path:
    """The archive, whole; `book` and `slides` are folders of built pages.

    Raises:
        ValueError: one of them holds no index.html.
    """
    for folder in (book, slides):
        if not (folder / "index.html").is_file():
            raise ValueError(f"{folder} must hold a built index.html; make it by `make book slides`")
    with tempfile.TemporaryDirectory() as temporary:
        kit = Path(temporary) / "kdlearn-class-kit"
        shutil.copytree(book, kit / "book", ignore=LEFT_OUT)
        shutil.copytree(slides, kit / "slides", ignore=shutil.ignore_patterns("exam*"))
        shutil.copy(HERE / "pages/kit.html", kit / "index.html")
        kdlearn_command("start", kit / "notebooks")
        kdlearn_command("explore", "--out", kit / "figures.html", "--no-open")
        made = shutil.make_archive(str(Path(temporary) / "kit"), "zip", temporary, kit.name)
        archive.parent.mkdir(parents=True, exist_ok=True)
        return Path(shutil.move(made, archive))


def kdlearn_command(*words: object) -> None:
    subprocess.run([sys.executable, "-m", "kdlearn", *map(str, words)], check=True, stdout=subprocess.DEVNULL)


def main(book: Path, slides: Path, archive: Path) -> None:
    print(write_kit(book, slides, archive))


if __name__ == "__main__":
    typer.run(main)
