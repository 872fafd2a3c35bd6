"""The book's pages on the article, made from studies/article/claims.yaml whenever the book is built."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from kdcourse.claims import Claim, count_verdicts, figure, load_claims, load_trial, repetition

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
CHINESE = {  # what stands in the bilingual table's headings
    "definitions and formulas": "定义与公式",
    "data and code": "数据与代码",
    "claims an experiment settles": "可由实验判定的说法",
    "history and references": "历史与文献",
    "right": "正确",
    "right under conditions": "有条件成立",
    "unsupported": "缺乏依据",
    "wrong": "错误",
    "cannot run": "无法运行",
}


def write_pages(folder: Path) -> None:
    """`claims.md`, `bilingual.md`, `questions.md`, and `counts.md`, which another page includes."""
    folder.mkdir(exist_ok=True)
    for name, lines in pages(load_trial(), load_claims()).items():
        (folder / f"{name}.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def pages(trial: Mapping[str, Any], claims: Sequence[Claim]) -> dict[str, list[str]]:
    by_id = {claim.id: claim for claim in claims}
    return {
        "counts": list(counts(claims)),
        "claims": list(claims_page(claims)),
        "bilingual": list(bilingual_page(claims)),
        "questions": list(questions_page(trial, by_id)),
    }


def table(kind: str, *rows: Sequence[str]) -> Iterator[str]:
    """A table of MyST, whose columns book.css makes as wide as its kind needs; the first row is its head."""
    yield f"```{{table}}\n:class: trial {kind}\n"
    for place, row in enumerate(rows):
        yield "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in row) + " |"
        if place == 0:
            yield "|" + "---|" * len(row)
    yield "```\n"


def chinese(text: str) -> str:
    """So that a browser takes the right font, and a screen reader the right voice."""
    return f'<span lang="zh-CN">{text}</span>'


def counts(claims: Sequence[Claim]) -> Iterator[str]:
    found = count_verdicts(claims)
    yield f"{len(claims)} of the article's statements, by what they are about and by verdict:\n"
    yield from table("counts", ["", *found.columns], *([str(name), *map(str, row)] for name, row in found.iterrows()))


def quoted(text: str) -> str:
    """A formula or a piece of code as such, a sentence as a quotation; what holds Chinese says so."""
    shown = f"`{text}`" if re.search(r"[\\_$*{>]", text) else f"“{text}”"
    return chinese(shown) if re.search("[\u4e00-\u9fff]", text) else shown


def grouped(claims: Sequence[Claim]) -> dict[str, list[Claim]]:
    groups: dict[str, list[Claim]] = {}
    for claim in claims:
        groups.setdefault(claim.group, []).append(claim)
    return groups


def claims_page(claims: Sequence[Claim]) -> Iterator[str]:
    yield "# All claims, with verdict and evidence\n"
    yield "§ is the article's section. Intervals are 95 %; what they cover is said by each record's plan.\n"
    yield from counts(claims)
    for group, members in grouped(claims).items():
        yield f"## {group.capitalize()}\n"
        rows = ([the_claim(one), f"**{one.verdict}**", the_statement(one)] for one in members)
        yield from table("claims", ["claim", "verdict", "corrected statement, and the evidence"], *rows)


def the_claim(claim: Claim) -> str:
    return f"§ {claim.section}, `{claim.id}`: {claim.translation}<br>{quoted(claim.quotation)}"


def the_statement(claim: Claim) -> str:
    return "<br>".join([claim.statement(), *map(evidence, claim.evidence)])


def evidence(one: Mapping[str, Any]) -> str:
    """What a reader re-runs or looks up, as a link where there is one."""
    if "equation" in one:
        return f"proof: [equation ({one['equation']})]({address(one['equation'].split('.')[0])})"
    if "notebook" in one:
        return f"run: [notebook {one['notebook'].split('_')[0]}]({address(one['notebook'])}), cell `{one['cell']}`"
    if "record" in one:
        return f"record: `studies/{one['record']}`, {where(one)}"
    return f"source: {linked(one['citation'], one.get('link'))}"


def address(chapter: str) -> str:
    """Of a notebook by its number or name, from a page of the folder `article`."""
    (found,) = (path for path in NOTEBOOKS.glob("*.ipynb") if re.match(f"0*{chapter}(_|$)", path.stem))
    return f"../notebooks/{found.name}"


def where(one: Mapping[str, Any]) -> str:
    """What was compared in which column, after how many updates and how often, and the figure that stands there."""
    value = figure(one)
    if "value" in one:
        return f"`{' · '.join(one['value'])}`: {value:g}"
    form = {"number": ",.0f", "factor": ".3f"}.get(one.get("unit", "points"), ".2f")
    arms = " minus ".join(arm(one[side]) for side in ("of", "minus") if side in one)
    often = " / ".join(map(several, repetition(one), ("teacher", "seed")))
    return f"column `{one.get('measure', 'accuracy')}` of {arms}, {one['length']:,} updates, {often}: {value:{form}}"


def arm(names: Mapping[str, Any]) -> str:
    """An arm by its settings: the strategy first, where it has one."""
    return f"({', '.join(str(value) if name == 'strategy' else f'{name} {value}' for name, value in names.items())})"


def several(count: int, name: str) -> str:
    return f"{count} {name}" + "s" * (count != 1)


def linked(text: str, link: str | None) -> str:
    return f"[{text}]({link})" if link else text


def bilingual_page(claims: Sequence[Claim]) -> Iterator[str]:
    yield "# Corrected statements in English and in Chinese · 中英对照\n"
    yield "For readers of the original. " + chinese("供原文读者对照：每条先引原文，再给出判定和更正后的表述。") + "\n"
    for group, members in grouped(claims).items():
        yield f"## {group.capitalize()} · {CHINESE[group]}\n"
        rows = ([original(one), one.statement("en"), chinese(one.statement("zh"))] for one in members)
        yield from table("bilingual", [chinese("原文"), "English", chinese("中文")], *rows)


def original(claim: Claim) -> str:
    return f"§ {claim.section} {quoted(claim.quotation)}<br>**{chinese(CHINESE[claim.verdict])}** · {claim.verdict}"


def questions_page(trial: Mapping[str, Any], claims: Mapping[str, Claim]) -> Iterator[str]:
    yield "# Its questions answered, its references corrected\n"
    yield "## Questions · 常见问题\n"
    for one in trial["questions"]:
        figures = {name: value for claim in one["claims"] for name, value in claims[claim].figures.items()}
        yield f"### {one['question']['en']}\n"
        yield f"{one['answer']['en'].format(**figures)}\n"
        yield chinese(f"{one['question']['zh']} {one['answer']['zh'].format(**figures)}") + "\n"
        yield f"Behind it: {', '.join(f'`{name}`' for name in one['claims'])} in [all claims](claims.md).\n"
    yield "## References · 参考文献\n"
    rows = (
        [one["printed"], linked(one["correct"], one["link"]), f"{one['says']['en']}<br>{chinese(one['says']['zh'])}"]
        for one in trial["references"]
    )
    yield from table("references", ["as printed", "corrected", "what it says"], *rows)
