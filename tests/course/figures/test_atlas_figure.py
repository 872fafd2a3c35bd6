"""The atlas figure: its numbers against pandas and SciPy on a made-up record of the planned grids; hand, keys, page."""

import json
from collections.abc import Iterator
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
from conftest import loaded
from figures_in_page import node, numbers, state
from scipy import stats

from kdcourse.figures import Atlas
from kdcourse.figures.atlas import CHOICES, KINDS, measured
from kdlearn import Comparison

REPLICATES = [1, 2, 3, 4]


def made_up(rows: pd.DataFrame) -> pd.DataFrame:
    """Accuracies that depend on the arm, the replicate and chance."""
    draw, soft = np.random.default_rng(0), rows["temperature"].notna()
    gain = 0.06 * soft * np.sin(rows["temperature"].fillna(1)) * rows["soft_weight"].fillna(1)
    noise = 0.01 * draw.normal(size=len(rows)) + 0.002 * rows["replicate"]
    return rows.assign(accuracy=0.8 + gain + noise)


@pytest.fixture(scope="module")
def record() -> Iterator[Comparison]:
    with pytest.MonkeyPatch.context() as patch:
        yield Comparison(made_up(planned_rows(loaded("atlas/grids", patch), patch)))


def planned_rows(grids: ModuleType, patch: pytest.MonkeyPatch) -> pd.DataFrame:
    """The rows that the grids plan, without training: `students` and `compare` tell what they are asked for."""

    def students(grid, data, strategies, taught, replicate, seeds, images=60, width=32, lengths=(1000,), **names):
        for strategy in strategies:
            kind = names.get("kind", grids.PLAIN) if strategy.asks_teacher else ""
            told = {"grid": grid, "images": images, "width": width, "control": "", "wrong": 0.0, **names, "kind": kind}
            told |= {"teacher": grids.OF_REPLICATE if kind else "", "strategy": strategy.name, "learning_rate": 0.003}
            told |= {name: getattr(strategy, name, np.nan) for name in ("temperature", "soft_weight")}
            yield from ({**told, "replicate": replicate, "seed": s, "length": n} for s in seeds for n in lengths)

    def compare(student, arms, data, *, replicates, seeds, lengths, **_):
        rows = [
            row for one in replicates for row in students("", None, arms.values(), None, one, seeds, lengths=lengths)
        ]
        return Comparison(pd.DataFrame(rows).drop(columns=["grid", "images", "width", "control", "wrong", "kind"]))

    taught = {(r, s): None for r in REPLICATES for s in range(4)} | dict.fromkeys(REPLICATES)
    patch.setattr(grids, "students", students)
    patch.setattr(grids, "digits", lambda replicate: None)
    patch.setattr(grids, "teachers", lambda *_, **__: dict.fromkeys(REPLICATES))
    patch.setattr(grids, "of_students_labels", lambda *_, **__: {p: None for p in taught if isinstance(p, tuple)})
    patch.setattr(grids, "carried_out", lambda runs, where: Comparison(pd.DataFrame(runs)))
    patch.setattr(grids.kdlearn, "compare", compare)
    names = ["temperature", "teachers", "long", *(f"labels-{size}" for size in grids.SIZES)]
    return pd.concat([grids.PARTS[name].carry_out(REPLICATES, {}).table for name in names], ignore_index=True)


@pytest.fixture(scope="module")
def shown(record) -> dict:
    with pytest.MonkeyPatch.context() as patch:
        return loaded("atlas/figure", patch).shown(record)


def interval_of(table: pd.DataFrame, seeds_of: pd.DataFrame) -> list[float]:
    """Student's t over the replicates' means of differences paired by seed, in points, from SciPy."""
    both = [part.set_index(["replicate", "seed"])["accuracy"] for part in (table, seeds_of)]
    means = 100 * (both[0] - both[1]).groupby("replicate").mean()
    low, high = stats.t.interval(0.95, len(means) - 1, means.mean(), stats.sem(means))
    return [means.mean(), (high - low) / 2]


def test_its_numbers_are_those_of_the_record(shown, record):
    grids = {"0.003 for all": ("D temperature and weight", "B teachers", "long"), "each its own": ("A labels",)}
    assert len({tuple(scene[name] for name in CHOICES) for scene in shown["scenes"]}) == len(shown["scenes"])
    assert shown["replicates"] == 4
    for scene in shown["scenes"]:
        rows = record.table[record.table["grid"].isin(grids[scene["rate"]])]
        rows = rows[rows["kind"].isin([scene["kind"], ""])]
        for name in ("images", "width", "length"):
            rows = rows[rows[name] == scene[name]]
        grid = next(one for one in grids[scene["rate"]] if one in set(rows.loc[rows["kind"] != "", "grid"]))
        rows = rows[rows["grid"] == grid]
        truth, hard = (rows[rows["strategy"] == name] for name in ("ground truth", "teacher's hard labels"))
        assert scene["labels"] == pytest.approx(interval_of(hard, truth), abs=6e-4)
        soft = rows[rows["strategy"].str.startswith("soft labels")].fillna({"soft_weight": 1.0})
        assert len(scene["cells"]) == len(soft[["temperature", "soft_weight"]].drop_duplicates())
        for temperature, weight, *told in scene["cells"]:
            cell = soft[(soft["temperature"] == temperature) & (soft["soft_weight"] == weight)]
            expected = [*interval_of(cell, truth), *interval_of(cell, hard)]
            assert told == pytest.approx(expected, abs=6e-4)


@pytest.mark.release
def test_what_the_grids_measure_can_be_chosen_and_is_small(shown, script_of, record, tmp_path):
    record.save(tmp_path / "record.parquet")
    script_of("atlas/figure").main(tmp_path / "record.parquet", tmp_path / "atlas.json")
    written = (tmp_path / "atlas.json").read_text(encoding="utf-8")
    assert json.loads(written) == shown and len(written) <= 60_000
    figure, limits = Atlas(shown), Atlas(shown).limits()
    for name in (*CHOICES, "temperature", "soft_weight"):
        measured = {scene[name] for scene in shown["scenes"]} if name in CHOICES else set()
        measured |= {cell[name == "soft_weight"] for one in shown["scenes"] for cell in one["cells"] if not measured}
        assert set(limits[name]["options"]) == measured, name
    for values in figure.presets.values():
        assert Atlas(shown, **values).found
    kinds = script_of("atlas/teachers")
    assert list(KINDS) == [*kinds.RECIPES, kinds.OF_STUDENT, kinds.UNTRAINED]


def test_its_words_are_its_numbers(shown):
    figure = Atlas(shown, temperature=8.0, soft_weight=0.75)
    found = {name: f"{mean:+.1f} ± {half:.1f}" for name, (mean, half) in figure.found.items()}
    assert figure.alt.startswith("With 60 images, 1,000 updates, T = 8, weight 0.75, soft labels gain " + found["gain"])
    assert f"{found['labels']} by the teacher's hard labels, {found['softness']} by softness" in figure.said
    figure.images = 240
    assert figure.found == {} and "nothing was measured" in figure.alt
    assert figure.draw().get_xlabel().startswith("points")


def test_without_a_record_it_says_how_one_is_made(tmp_path, monkeypatch):
    measured.cache_clear()
    monkeypatch.setattr("kdcourse.figures.atlas.DATA", tmp_path / "atlas.json")
    with pytest.raises(FileNotFoundError, match=r"python studies/atlas/figure\.py makes it"):
        Atlas()


def test_the_nearest_scene_differs_in_the_fewest_choices(shown):
    scenes = shown["scenes"]
    wanted = {"images": 240, "kind": "small", "width": 32, "length": 1000, "rate": "0.003 for all"}
    found = node("return P.nearest(...given);", [scenes, wanted], "atlas")
    apart = [sum(scene[name] != wanted[name] for name in CHOICES) for scene in scenes]
    assert found == scenes[int(np.argmin(apart))]


def test_the_axis_holds_every_interval(shown):
    low, high = node("return P.reach(given);", shown["scenes"], "atlas")
    pairs = [one["labels"] for one in shown["scenes"]]
    pairs += [cell[at : at + 2] for one in shown["scenes"] for cell in one["cells"] for at in (2, 4)]
    lowest, highest = min(mean - half for mean, half in pairs), max(mean + half for mean, half in pairs)
    assert low <= lowest < low + 5 and high - 5 < highest <= high and low % 5 == high % 5 == 0


# ---- in a browser


@pytest.fixture
def page(live, shown):
    return live(Atlas(shown))


def cell(page, temperature: int, weight: float):
    return page.locator(f"td[aria-label^='T = {temperature}, weight {weight}:']")


def test_every_cell_shows_its_interval_and_noise_is_grey(page, shown):
    for temperature, weight, mean, half, *_ in Atlas(shown).scene()["cells"]:
        one = cell(page, int(temperature), weight if weight < 1 else 1)
        assert numbers(one.locator("span").first) == pytest.approx([mean], abs=0.051)
        expected = "noise" if abs(mean) <= half else "more" if mean > 0 else "less"
        assert one.get_attribute("class") == expected
        fill = one.locator("rect").evaluate("node => getComputedStyle(node).fill")
        assert fill == {"noise": "rgb(244, 245, 247)", "more": "rgb(0, 114, 178)", "less": "rgb(192, 79, 0)"}[expected]


def test_hand_and_keys_choose_a_cell_and_its_parts_are_told(page, shown):
    cell(page, 4, 0.75).click()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowUp")
    assert [state(page, name) for name in ("temperature", "soft_weight")] == [8, 0.9]
    page.keyboard.press("Home")
    assert state(page, "temperature") == 1
    found = Atlas(shown, temperature=1.0, soft_weight=0.9).found
    numbers = page.locator(".part > :nth-child(3)").all_inner_texts()
    expected = [f"{found[part][0]:+.1f} ± {found[part][1]:.1f}" for part in ("labels", "softness", "gain")]
    assert [text.replace("−", "-") for text in numbers] == expected


def test_what_was_not_measured_is_said_and_the_nearest_is_a_click_away(page, shown):
    page.get_by_role("combobox", name="Labelled images").select_option("240")
    page.get_by_text("These choices were not measured together.").first.wait_for()
    assert set(page.locator("td span:first-of-type").all_inner_texts()) == {"–"}
    page.get_by_role("button", name="Show the nearest that was").click()
    assert Atlas(shown, **{name: state(page, name) for name in CHOICES}).scene() is not None
    assert not page.get_by_role("button", name="Show the nearest that was").is_visible()
