"""What all figures share: one HTML that lives with and without a kernel, and what a figure's state can take."""

import hashlib
import html
import json
import re
from collections import Counter
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import anywidget
import traitlets

from kdlearn.data.files import replacing

FOLDER = Path(__file__).parent

SHARED = ("maths", "drawing", "controls", "picture", "address", "around")  # by all figures
LIVE = "A picture of an interactive figure. To make it live, run its cell, or trust the notebook."
PAGE = """<!doctype html>
<html lang="en-GB">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>body {{ max-width: 61em; margin: 1.5em auto; padding: 0 1em; font-family: system-ui, sans-serif }}</style>
<h1 style="font-size: 1.4em">{title}</h1>
{figures}
</html>
"""


@cache
def joined(*modules: str) -> str:
    """Modules as one: what they import from each other is there already, so `import` and `export` fall away."""
    names = (*SHARED, *modules, "host")  # each after what it imports
    text = "\n".join((FOLDER / f"{name}.js").read_text(encoding="utf-8") for name in names)
    styles = {name: FOLDER / f"{name}.css" for name in ("figure", *modules)}
    rules = {name: path.read_text(encoding="utf-8") for name, path in styles.items() if path.exists()}
    alone = re.sub(r"^import [^;]*;\n|^export ", "", text, flags=re.MULTILINE)
    return f"const STYLES = {json.dumps(rules)};\n{alone}"


class Figure(anywidget.AnyWidget):
    """A figure whose state is its public traits: set them, read them, observe them, link them to other widgets.

    `presets` maps a button's name to the traits that it sets; `ask=True` puts a question before the figure: `guess` has
    a `question`, its `options` and a `reply`, which says the mechanism. A subclass has traits tagged `sync=True`,
    `alt`, `draw`, and a function of its name in the last of `modules`.
    """

    modules: ClassVar[tuple[str, ...]] = ()  # of `kdcourse/figures`, beside those that all figures share
    counted: ClassVar[dict[str, str]] = {}  # a trait that is an index -> the trait that holds what it counts
    function: ClassVar[str]
    tag: ClassVar[str]
    presets = traitlets.Dict().tag(sync=True)
    guess = traitlets.Dict().tag(sync=True)
    ask = traitlets.Bool(False).tag(sync=True, address=False)
    _figure = traitlets.Dict().tag(sync=True)  # what the page needs to find its function and its state
    _made: ClassVar[Counter[str]] = Counter()
    _shown = False

    def __init_subclass__(cls, **options: Any) -> None:
        if "modules" in vars(cls):
            cls.function, text = cls.__name__, joined(*cls.modules)
            cls.tag = f"kdlearn-{hashlib.sha256((text + cls.function).encode()).hexdigest()[:8]}"
            cls._esm = f"{text}\nexport default hooks({cls.function});\n"
        super().__init_subclass__(**options)

    def __init__(self, **values: Any) -> None:
        if unknown := values.keys() - set(self.trait_names()):
            raise TypeError(self._unknown(unknown))
        super().__init__(**values)
        self.on_msg(self._keep)

    @traitlets.validate("presets")
    def _of_traits(self, proposal: Any) -> dict[str, dict[str, Any]]:
        for name, values in proposal["value"].items():
            if unknown := values.keys() - set(self.public_traits()):
                raise ValueError(f"presets[{name!r}] must set what the figure has: {self._unknown(unknown)}")
            for trait, value in values.items():
                self.traits()[trait]._validate(self, value)
        return proposal["value"]

    def _unknown(self, names: set[str]) -> str:
        return f"{type(self).__name__} has no {', '.join(sorted(names))}; it has {', '.join(self.public_traits())}"

    def open(self) -> None:
        """Meet the page under a key that is the same in every run: the class, the state, and a number among equals."""
        name = type(self).__name__
        digest = hashlib.sha256(json.dumps(self.state).encode()).hexdigest()[:8]
        self._made[name + digest] += 1
        key = f"{name}-{digest}-{self._made[name + digest]}"
        self._figure = {"key": key, "names": list(self.state), "anchor": self.anchor(), "limits": self.limits()}
        super().open()

    @classmethod
    def anchor(cls) -> str:
        """What the address calls the figure: `#figure=loss-explorer&T=10`."""
        return "-".join(re.findall("[A-Z][a-z]*", cls.__name__)).lower()

    def limits(self) -> dict[str, dict[str, Any]]:
        """What an address may set, and to what: numbers from `min` to `max`, `options`, so many numbers, a pattern."""
        found = {name: limits_of(trait, getattr(self, name)) for name, trait in sorted(self.traits(sync=True).items())}
        found |= {
            name: {"min": 0, "max": len(getattr(self, of)) - 1, "whole": True} for name, of in self.counted.items()
        }
        return {name: found[name] for name in self.public_traits() if found[name]}

    @property
    def state(self) -> dict[str, Any]:
        """The public traits that the page shares, as JSON knows them."""
        return {name: getattr(self, name) for name in self.public_traits()}

    @classmethod
    def public_traits(cls) -> list[str]:
        inherited = anywidget.AnyWidget.class_trait_names()
        return sorted(name for name in cls.class_trait_names(sync=True) if name[0] != "_" and name not in inherited)

    @property
    def alt(self) -> str:
        """What is seen now, in words."""
        raise NotImplementedError

    def draw(self) -> Any:
        """What is seen now as a matplotlib axes, for where the figure cannot run."""
        raise NotImplementedError

    def element(self, fallback: str) -> str:
        """The figure as HTML: `fallback` for where scripts do not run, else the figure with its present state."""
        about = {name: value for name, value in self._figure.items() if name != "names"}
        content = json.dumps({**about, "values": self.state}).replace("<", "\\u003c")
        data = f'<script type="application/json">{content}</script>'
        return f'<{self.tag} class="kdlearn-figure">\n{fallback}\n{data}\n</{self.tag}>'

    def picture(self) -> str:
        """What is seen now as an HTML image with its words."""
        from kdcourse.plots import Picture

        return Picture(self.draw(), self.alt)._repr_mimebundle_()["text/html"]

    def save(self, path: str | Path) -> None:
        """Write one HTML file that needs nothing else: no network, no kernel, no server."""
        save([self], path, title=" ".join(re.findall("[A-Z][a-z]*", type(self).__name__)).capitalize())

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        html = self.element(f"{self.picture()}\n<p>{LIVE}</p>") + script(self)
        return {"text/plain": repr(self), "text/html": html}

    def _ipython_display_(self) -> None:
        from IPython.display import display

        self._shown = True
        display(self._repr_mimebundle_(), raw=True, display_id=self._figure["key"])

    def _keep(self, _: Any, content: Any, buffers: Any) -> None:
        """When the page rests, show it as it is now in place of what was shown, for the notebook to be saved."""
        if content == "at rest" and self._shown:
            from IPython.display import update_display

            update_display(self._repr_mimebundle_(), raw=True, display_id=self._figure["key"])

    def __repr__(self) -> str:
        return f"{type(self).__name__}: {self.alt}"


def limits_of(trait: Any, value: Any) -> dict[str, Any]:
    """What an address may set a trait to; empty for one that it cannot set."""
    if trait.read_only or not trait.metadata.get("address", True):
        return {}
    if isinstance(trait, traitlets.Float | traitlets.Int) and trait.max not in (None, float("inf")):
        return {"min": trait.min, "max": trait.max, "whole": isinstance(trait, traitlets.Int)}
    if isinstance(trait, traitlets.Enum | traitlets.Bool):
        return {"options": list(getattr(trait, "values", (True, False)))}
    return trait.metadata.get("limits", lambda _: {})(value)


def script(*figures: Figure) -> str:
    """What brings the elements of `figures` to life: their modules, each once."""
    text = joined(*dict.fromkeys(module for figure in figures for module in figure.modules))
    kinds = {figure.tag: figure.function for figure in figures}
    defined = "\n".join(f'define("{tag}", {name});' for tag, name in kinds.items())
    return f'\n<script type="module">\n{text}\n{defined}\n</script>'


class Row:
    """What `beside` shows."""

    def __init__(self, figures: Sequence[Figure]) -> None:
        self.figures = figures

    def __repr__(self) -> str:
        return f"{len(self.figures)} figures: {', '.join(type(figure).__name__ for figure in self.figures)}"

    def _repr_html_(self) -> str:
        cells = [f'<div style="flex: 1 1 26em">{figure.element(figure.picture())}</div>' for figure in self.figures]
        row = f'<div style="display: flex; flex-wrap: wrap; gap: 0 1em">{"".join(cells)}</div>'
        return row + script(*self.figures)


def beside(*figures: Figure) -> Row:
    """Figures in a row, or below each other where a page is narrow; a saved notebook shows them without a kernel.

    A box of ipywidgets shows them only while its kernel runs.

    >>> from kdcourse.figures import Simplex, beside
    >>> beside(Simplex(temperature=1), Simplex(temperature=10))
    2 figures: Simplex, Simplex
    """
    return Row(figures)


def save(figures: Sequence[Figure], path: str | Path, title: str) -> None:
    """Write `figures` as one HTML page that needs nothing else: no network, no kernel, no server."""
    elements = "\n".join(figure.element(f"<p>{html.escape(figure.alt)}</p>") for figure in figures)
    with replacing(Path(path)) as temporary:
        temporary.write_text(
            PAGE.format(title=html.escape(title), figures=elements + script(*figures)), encoding="utf-8"
        )
