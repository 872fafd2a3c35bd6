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


LIVE = "A picture of an interactive figure. To make it live, run its cell, or trust the notebook."
PAGE = """<!doctype html>
<html lang="en-GB">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>body {{ max-width: 860px; margin: 24px auto; padding: 0 16px; font-family: system-ui, sans-serif }}</style>
<h1 style="font-size: 22px">{title}</h1>
{figures}
</html>
"""


@cache
def joined(*modules: str) -> str:
    """Modules as one: what they import from each other is there already, so `import` and `export` fall away."""
    names = ("maths", "drawing", *modules, "host")  # each after what it imports
    text = "\n".join((FOLDER / f"{name}.js").read_text(encoding="utf-8") for name in names)
    return re.sub(r"^import [^;]*;\n|^export ", "", text, flags=re.MULTILINE)


class Figure(anywidget.AnyWidget):
    """A figure whose state is its public traits: set them, read them, observe them, link them to other widgets.

    A subclass has traits tagged `sync=True`, `alt`, `draw`, and a function of its name in the last of `modules`.
    """

    modules: ClassVar[tuple[str, ...]] = ()  # of `kdlearn/figures`, beside those that all figures share
    function: ClassVar[str]
    tag: ClassVar[str]
    _figure = traitlets.Dict().tag(sync=True)  # what the page needs to find its function and its state
    _made: ClassVar[Counter[str]] = Counter()

    def __init_subclass__(cls, **options: Any) -> None:
        if "modules" in vars(cls):
            cls.function, text = cls.__name__, joined(*cls.modules)
            cls.tag = f"kdlearn-{hashlib.sha256((text + cls.function).encode()).hexdigest()[:8]}"
            cls._esm = f"{text}\nexport default hooks({cls.function});\n"
        super().__init_subclass__(**options)

    def __init__(self, **values: Any) -> None:
        if unknown := values.keys() - set(self.trait_names()):
            known = ", ".join(self.public_traits())
            raise TypeError(f"{type(self).__name__} has no {', '.join(sorted(unknown))}; it has {known}")
        super().__init__(**values)

    def open(self) -> None:
        """Meet the page under a key that is the same in every run: the class, the state, and a number among equals."""
        name = type(self).__name__
        digest = hashlib.sha256(json.dumps(self.state).encode()).hexdigest()[:8]
        self._made[name + digest] += 1
        key = f"{name}-{digest}-{self._made[name + digest]}"
        self._figure = {"key": key, "names": list(self.state)}
        super().open()

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
        content = json.dumps({"key": self._figure["key"], "values": self.state}).replace("<", "\\u003c")
        data = f'<script type="application/json">{content}</script>'
        return f'<{self.tag} class="kdlearn-figure">\n{fallback}\n{data}\n</{self.tag}>'

    def save(self, path: str | Path) -> None:
        """Write one HTML file that needs nothing else: no network, no kernel, no server."""
        save([self], path, title=" ".join(re.findall("[A-Z][a-z]+", type(self).__name__)).capitalize())

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        from kdlearn.plots import Picture

        picture = Picture(self.draw(), self.alt)._repr_mimebundle_()["text/html"]
        return {"text/plain": repr(self), "text/html": self.element(f"{picture}\n<p>{LIVE}</p>") + script(self)}

    def __repr__(self) -> str:
        return f"{type(self).__name__}: {self.alt}"


def script(*figures: Figure) -> str:
    """What brings the elements of `figures` to life: their modules, each once."""
    text = joined(*dict.fromkeys(module for figure in figures for module in figure.modules))
    kinds = {figure.tag: figure.function for figure in figures}
    defined = "\n".join(f'define("{tag}", {name});' for tag, name in kinds.items())
    return f'\n<script type="module">\n{text}\n{defined}\n</script>'


def save(figures: Sequence[Figure], path: str | Path, title: str) -> None:
    """Write `figures` as one HTML page that needs nothing else: no network, no kernel, no server."""
    elements = "\n".join(figure.element(f"<p>{html.escape(figure.alt)}</p>") for figure in figures)
    with replacing(Path(path)) as temporary:
        temporary.write_text(
            PAGE.format(title=html.escape(title), figures=elements + script(*figures)), encoding="utf-8"
        )
