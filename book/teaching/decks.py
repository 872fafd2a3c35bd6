"""Decks of slides: Markdown in `decks/` made into reveal.js pages that need no network.

A deck is a Jinja template that includes its parts. `---` on a line of its own begins a slide. `Notes, 4 minutes:`
begins the lecturer's notes; the minutes add up to those of the deck. `::: answer` hides what it holds until a key,
`::: vote` counts hands, `::: step {"temperature": 4}` sets the slide's figure. Numbers of ours stand in records:
`numbers.yaml` says where, as claims do, and `{{ soft60 | shown }}` reads one.

`python book/teaching/decks.py [FOLDER]`
"""

import inspect
import json
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markdown_it import MarkdownIt
from mdit_py_plugins.container import container_plugin
from mdit_py_plugins.dollarmath import dollarmath_plugin
from measured import computed, push_of_hard_loss
from pictures import PICTURES, svg_of

import kdlearn
from kdcourse import clinic
from kdcourse.claims import figure as measured
from kdcourse.claims import load_claims
from kdcourse.commands.explore import figures_of_the_course
from kdcourse.figures.figure import Figure, script

HERE = Path(__file__).parent
PACKAGES = HERE.parent / "node_modules"
COPIED = (
    PACKAGES / "reveal.js/dist/reveal.js",
    PACKAGES / "reveal.js/dist/reveal.css",
    PACKAGES / "reveal.js/dist/plugin/notes.js",
    PACKAGES / "mathjax/es5/tex-svg-full.js",
    HERE / "slides.css",
    HERE / "slides.js",
)


@dataclass(frozen=True)
class Slide:
    """One slide: HTML, the lecturer's notes as HTML, how many minutes it takes, and at which minute it begins."""

    content: str
    notes: str
    minutes: int
    start: int

    @property
    def heading(self) -> str:
        found = re.search(r"<h[12]>(.*?)</h[12]>", self.content)
        return found[1] if found else ""

    @property
    def clock(self) -> str:
        return f"{self.start}–{self.start + self.minutes} min"


@dataclass(frozen=True)
class Deck:
    """`figures` are those that live in the slides."""

    name: str
    title: str
    slides: Sequence[Slide]
    figures: Sequence[Figure]

    @property
    def minutes(self) -> int:
        return sum(slide.minutes for slide in self.slides)


def load_deck(path: Path) -> Deck:
    """A deck from its source.

    Raises:
        ValueError: a slide has no notes with minutes, or the minutes do not add up.
    """
    environment, figures = deck_environment()
    text = environment.get_template(path.relative_to(HERE / "decks").as_posix()).render()
    _, front, body = text.split("---\n", 2)
    about, slides = yaml.safe_load(front), list(slides_of(body))
    deck = Deck(path.stem, about["title"], slides, figures)
    if deck.minutes != about["minutes"]:
        raise ValueError(f"{path.name}: its slides must take {about['minutes']} minutes; they take {deck.minutes}")
    return deck


def slides_of(body: str) -> Iterator[Slide]:
    parts = [halves(part.strip()) for part in re.split(r"^---$", body, flags=re.MULTILINE)]
    starts = accumulate((minutes for _, minutes, _ in parts), initial=0)
    for (content, minutes, notes), start in zip(parts, starts, strict=False):
        yield Slide(rendered(content), rendered(notes), minutes, start)


def halves(part: str) -> tuple[str, int, str]:
    """What a class sees, the minutes, and what the lecturer sees."""
    found = re.fullmatch(r"(.*?)^Notes, (\d+) minutes?:$(.*)", part, flags=re.MULTILINE | re.DOTALL)
    if not found:
        raise ValueError(
            f"a slide must end with `Notes, N minutes:` on a line and what the lecturer says; got {part[:80]!r}"
        )
    return found[1], int(found[2]), found[3]


# ---- Markdown


@cache
def markdown() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": True}).enable("table").use(dollarmath_plugin, renderer=formula)
    for name in ("answer", "vote", "step", "task", "columns"):
        parser.use(container_plugin, name, render=container)
    return parser


def rendered(text: str) -> str:
    return markdown().render(text)


def formula(content: str, options: dict[str, Any]) -> str:
    return rf"\[{content}\]" if options["display_mode"] else rf"\({content}\)"


def container(self: Any, tokens: Sequence[Any], place: int, *_: Any) -> str:
    token = tokens[place]
    if token.nesting < 0:
        return "</div>\n"
    kind, _, state = token.info.strip().partition(" ")
    hidden = " fragment" if kind in ("answer", "step") else ""
    data = f" data-state='{json.dumps(json.loads(state))}'" if state else ""
    return f'<div class="{kind}{hidden}"{data}>\n'


# ---- what the sources can ask for


def deck_environment() -> tuple[Environment, list[Figure]]:
    """What renders one deck, and the list in which its figures are noted."""
    environment = Environment(
        loader=FileSystemLoader(HERE / "decks"), undefined=StrictUndefined, keep_trailing_newline=True
    )
    figures: list[Figure] = []

    def live(name: str, **state: Any) -> str:
        figures.append(new_figure(name, **state))
        return one_block(figures[-1].element(figures[-1].picture()))

    environment.globals.update(numbers(), **dict(computed()), push_of_hard_loss=push_of_hard_loss)
    environment.globals.update(figure=live, picture=picture, source=source, examined=examined, claims=claims)
    environment.filters.update(shown=shown, rounded=rounded)
    return environment, figures


@cache
def numbers() -> dict[str, Any]:
    """By name, what the records say."""
    return {name: measured(one) for name, one in evidence().items()}


def evidence() -> dict[str, Any]:
    """By name, where a number stands and what the slides say of it."""
    return yaml.safe_load((HERE / "numbers.yaml").read_text("utf-8"))["numbers"]


def shown(found: Any, form: str = "+.1f") -> str:
    """An interval or a number, on one line."""
    return format(found, form).replace("-", "−").replace(" ", "\N{NO-BREAK SPACE}")


def rounded(number: float) -> str:
    """To two digits that mean something: 183.4 is "180"."""
    return f"{float(f'{number:.2g}'):,g}"


def new_figure(name: str, **state: Any) -> Figure:
    """One of the course's figures, in this state."""
    (found,) = (figure for figure in figures_of_the_course() if type(figure).__name__ == name)
    for trait, value in state.items():
        found.set_trait(trait, value)
    return found


def picture(name: str) -> str:
    """A static picture from a record, whose groups named `step-…` come one by one."""
    return one_block(f'<div class="picture">\n{svg_of(PICTURES[name])}\n</div>')


def one_block(text: str) -> str:
    """Without blank lines, at which Markdown would take HTML to end."""
    return re.sub(r"\n\s*\n+", "\n", text)


def source(name: str) -> str:
    """The code of a function of the clinic of notebook 09, without its types, in lines that fit a slide."""
    code = inspect.getsource(getattr(clinic, name)).replace(name, "loss")
    return re.sub(r": Tensor\b| -> Tensor|_logits", "", code).strip()


def examined(name: str, sentence: str = "") -> str:
    """What `kdlearn.examine` finds in it, by name, and what that does; `sentence` is the slide's own."""
    (finding,) = kdlearn.examine(getattr(clinic, name)).findings
    return f"**{finding.name}**: {sentence or finding.sentence}. {finding.effect}"


def claims(*names: str) -> list[Any]:
    by_id = {claim.id: claim for claim in load_claims()}
    return [by_id[name] for name in names]


# ---- pages


def write_decks(folder: Path) -> list[Deck]:
    """Each deck as a page and the lecturer's sheet beside it, what they need, and an index."""
    folder.mkdir(parents=True, exist_ok=True)
    decks = [load_deck(path) for path in sorted((HERE / "decks").glob("*.md"))]
    for path in COPIED:
        shutil.copy(path, folder)
    pages = Environment(loader=FileSystemLoader(HERE / "pages"), undefined=StrictUndefined, trim_blocks=True)
    for deck in decks:
        scripts = script(*deck.figures) if deck.figures else ""
        write(folder / f"{deck.name}.html", pages.get_template("deck.html").render(deck=deck, scripts=scripts))
        write(folder / f"{deck.name}_notes.html", pages.get_template("notes.html").render(deck=deck))
    write(folder / "index.html", pages.get_template("index.html").render(decks=decks))
    return decks


def write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def main(folder: Annotated[Path, typer.Argument()] = HERE / "_build") -> None:
    for deck in write_decks(folder):
        print(f"{deck.name}.html: {len(deck.slides)} slides, {deck.minutes} minutes")


if __name__ == "__main__":
    typer.run(main)
