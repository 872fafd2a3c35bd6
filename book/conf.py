"""The book: the committed notebooks with their outputs, the claims on the article, the reference from the docstrings.

It needs no network.
"""

import html
import re
import shutil
import sys
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

import kdcourse
import kdlearn
from kdcourse.commands.explore import figures_of_the_course
from kdcourse.exercises.versions import for_readers, source
from kdcourse.figures.figure import FOLDER, script
from kdlearn.data.files import read_json, write_json

BOOK = Path(__file__).parent
sys.path.insert(0, str(BOOK))
from evidence import write_evidence  # noqa: E402
from glossary import explain, write_glossary  # noqa: E402
from pictures import write_found  # noqa: E402
from trial import write_pages  # noqa: E402

write_found(BOOK / "found")
write_pages(BOOK / "article")
write_evidence(BOOK / "evidence.md")
write_glossary(BOOK / "glossary.md")
shutil.rmtree(BOOK / "notebooks", ignore_errors=True)
shutil.copytree(BOOK.parent / "notebooks", BOOK / "notebooks", ignore=shutil.ignore_patterns(".*", "*.toml"))
for notebook in (BOOK / "notebooks").glob("*.ipynb"):
    write_json(notebook, for_readers(read_json(notebook)))

project = "kdlearn"
author = "The kdlearn authors"
copyright = "2026, the kdlearn authors. Text CC BY 4.0, code MIT"
release = kdlearn.__version__
language = "en-GB"

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build", "node_modules", "article/counts.md", "teaching/**"]
default_role = "code"
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True

nb_execution_mode = "off"
nb_ipywidgets_js = {}
myst_enable_extensions = ["dollarmath"]
myst_fence_as_directive = ["mermaid"]
myst_heading_anchors = 3

# SVG output is one file without fonts, so that a page opened from a disk shows its formulas too.
mathjax_path = "tex-svg-full.js"
mathjax3_config = {"options": {"enableMenu": False}}

html_theme = "sphinx_book_theme"
html_title = "kdlearn"
html_context = {"default_mode": "auto"}
html_static_path = ["_static", "node_modules/mathjax/es5/tex-svg-full.js", "node_modules/mermaid/dist/mermaid.min.js"]
html_css_files = ["book.css"]
html_js_files = [("print.js", {"defer": "defer"}), ("formulas.js", {"defer": "defer"})]
html_theme_options = {"show_toc_level": 2, "navbar_persistent": [], "search_bar_text": "Search"}
html_show_sourcelink = False
# A field to search in, where the theme has a button that is named otherwise than it reads.
html_sidebars = {"**": ["navbar-logo.html", "icon-links.html", "search-field.html", "sbt-sidebar-nav.html"]}


class Mermaid(Directive):
    """A diagram as text, which diagrams.js draws in the reader's theme."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        text = "\n".join(self.content)
        words = html.escape("Diagram: " + "; ".join(dict.fromkeys(re.findall('"([^"]+)"', text))))
        shown = f'<pre class="mermaid" role="img" aria-label="{words}">{html.escape(text)}</pre>'
        return [nodes.raw("", shown, format="html")]


def add_diagram_scripts(app: Sphinx, page: str, template: str, context: dict, doctree: nodes.document | None) -> None:
    if doctree and any('class="mermaid"' in node.astext() for node in doctree.findall(nodes.raw)):
        app.add_js_file("mermaid.min.js", loading_method="defer")
        app.add_js_file("diagrams.js", loading_method="defer")


FIGURES = {type(figure).__name__: figure for figure in figures_of_the_course()}


class Interactive(Directive):
    """One of the course's figures, live in the page; it asks before it shows."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        figure = FIGURES[self.arguments[0]]
        figure.ask = True
        for path in FOLDER.iterdir():  # by whose content the element is named
            self.state.document.settings.env.note_dependency(str(path))
        return [nodes.raw("", figure.element(figure.picture()), format="html")]


class Notebooks(SphinxDirective):
    """Each notebook with its question and its time, as its first cell tells them."""

    def run(self) -> list[nodes.Node]:
        rows = ["| notebook | question | takes |", "|---|---|---|"]
        for path in sorted((BOOK / "notebooks").glob("*.ipynb")):
            self.env.note_dependency(str(path))
            head = source(read_json(path)["cells"][0])
            title, question, takes = re.search(HEAD, head, re.DOTALL).groups()
            rows.append(f"| [{title}](notebooks/{path.name}) | {question} | {takes} |")
        return self.parse_text_to_nodes("\n".join(rows))


HEAD = r"# (.+?)\n.*\*\*The question\.\*\* (.+?)\n.*\*\*It takes\*\* ([^;.]+)"


def add_figure_scripts(app: Sphinx, page: str, template: str, context: dict, doctree: nodes.document | None) -> None:
    texts = [node.astext() for node in doctree.findall(nodes.raw)] if doctree else []
    shown = [figure for figure in FIGURES.values() if any(text.startswith(f"<{figure.tag} ") for text in texts)]
    if shown:
        context["body"] += script(*shown)


def anchor_equations(app: Sphinx, doctree: nodes.document) -> None:
    """Equation (3.1) of a page is its place `#equation-3-1`."""
    for formula in doctree.findall(nodes.math_block):
        for number in re.findall(r"\\tag\{([\w.]+)\}", formula.astext()):
            formula["ids"].append(f"equation-{number.replace('.', '-')}")


def name_folds(app: Sphinx, page: str, template: str, context: dict, doctree: nodes.document | None) -> None:
    """A fold is called what it reads, for whoever speaks to the page."""
    if "body" in context:
        context["body"] = context["body"].replace('<summary aria-label="Toggle hidden content">', "<summary>")


def add_search_script(app: Sphinx, page: str, template: str, context: dict, doctree: nodes.document | None) -> None:
    if page == "search":
        app.add_js_file("search.js", loading_method="defer")


def named_defaults(app: Sphinx, what: str, name: str, found: Any, options: Any, given: str | None, result: Any) -> Any:
    """Defaults of a dataclass such as `<function accuracy>` as `accuracy`; Sphinx cannot read the others."""
    return given and re.sub(r"<(?:function )?(\w+)>", r"\1", given), result


PUBLIC = {name: getattr(package, name) for package in (kdlearn, kdcourse) for name in package.__all__}
MODULES = {found.__module__ for found in PUBLIC.values()}


def leave_helpers_out(app: Sphinx, what: str, name: str, found: Any, skip: bool, options: Any) -> bool | None:
    """Of a module with public names the reference shows no others; an `autoclass` of its own shows one all the same."""
    return (what == "module" and getattr(found, "__module__", "") in MODULES and name not in PUBLIC) or None


def drop_source_maps(app: Sphinx, error: Exception | None) -> None:
    """The theme's maps back to its sources serve its makers, and weigh 3.5 MB."""
    for path in Path(app.outdir).rglob("*.map"):
        path.unlink()


def setup(app: Sphinx) -> None:
    app.add_directive("mermaid", Mermaid)
    app.add_directive("interactive", Interactive)
    app.add_directive("notebooks", Notebooks)
    app.connect("doctree-resolved", explain)
    app.connect("html-page-context", add_diagram_scripts)
    app.connect("html-page-context", add_figure_scripts)
    app.connect("html-page-context", name_folds)
    app.connect("html-page-context", add_search_script)
    app.connect("doctree-read", anchor_equations)
    app.connect("autodoc-process-signature", named_defaults)
    app.connect("autodoc-skip-member", leave_helpers_out)
    app.connect("build-finished", drop_source_maps)
