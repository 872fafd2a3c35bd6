"""The atlas figure: its numbers against pandas and SciPy on the recorded runs; hand, keys, page."""

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT
from figures_in_page import node, numbers, state
from scipy import stats

from kdcourse.figures import Atlas
from kdcourse.figures.atlas import CHOICES, DATA, KINDS, measured

SCENES = measured()["scenes"]
GRIDS = {"0.003 for all": ("D temperature and weight", "B teachers", "long"), "each its own": ("A labels",)}


def interval_of(table: pd.DataFrame, seeds_of: pd.DataFrame) -> list[float]:
    """Student's t over the replicates' means of differences paired by seed, in points, from SciPy."""
    both = [part.set_index(["replicate", "seed"])["accuracy"] for part in (table, seeds_of)]
    means = 100 * (both[0] - both[1]).groupby("replicate").mean()
    return [means.mean(), stats.t.ppf(0.975, len(means) - 1) * stats.sem(means)]


def test_its_numbers_are_those_of_the_record():
    table = pd.read_parquet(ROOT / "studies/atlas/atlas.parquet")
    assert len({tuple(scene[name] for name in CHOICES) for scene in SCENES}) == len(SCENES)
    assert measured()["replicates"] == table["replicate"].nunique()
    for scene in SCENES:
        rows = table[table["grid"].isin(GRIDS[scene["rate"]]) & table["kind"].isin([scene["kind"], ""])]
        for name in ("images", "width", "length"):
            rows = rows[rows[name] == scene[name]]
        grid = next(one for one in GRIDS[scene["rate"]] if one in set(rows.loc[rows["kind"] != "", "grid"]))
        rows = rows[rows["grid"] == grid]
        truth, hard = (rows[rows["strategy"] == name] for name in ("ground truth", "teacher's hard labels"))
        assert scene["labels"] == pytest.approx(interval_of(hard, truth), abs=6e-4)
        soft = rows[rows["strategy"].str.startswith("soft labels")].fillna({"soft_weight": 1.0})
        assert len(scene["cells"]) == len(soft[["temperature", "soft_weight"]].drop_duplicates())
        for temperature, weight, *told in scene["cells"]:
            cell = soft[(soft["temperature"] == temperature) & (soft["soft_weight"] == weight)]
            assert told == pytest.approx([*interval_of(cell, truth), *interval_of(cell, hard)], abs=6e-4)


@pytest.mark.release
def test_what_the_study_writes_is_what_the_figure_holds_and_is_small(script_of, tmp_path):
    script_of("atlas/figure").main(out=tmp_path / "atlas.json")
    assert (tmp_path / "atlas.json").read_bytes() == DATA.read_bytes() and DATA.stat().st_size <= 60_000


def test_what_was_measured_can_be_chosen(script_of):
    cells = [cell for scene in SCENES for cell in scene["cells"]]
    chosen = {name: {scene[name] for scene in SCENES} for name in CHOICES}
    chosen |= {"temperature": {cell[0] for cell in cells}, "soft_weight": {cell[1] for cell in cells}}
    limits = Atlas().limits()
    assert {name: set(limits[name]["options"]) for name in chosen} == chosen
    assert all(Atlas(**values).found for values in Atlas().presets.values())
    kinds = script_of("atlas/teachers")
    assert list(KINDS) == [*kinds.RECIPES, kinds.OF_STUDENT, kinds.UNTRAINED]


def test_its_words_are_its_numbers():
    figure = Atlas(temperature=8.0, soft_weight=0.75)
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


def test_the_nearest_scene_differs_in_the_fewest_choices():
    wanted = {"images": 240, "kind": "small", "width": 32, "length": 1000, "rate": "0.003 for all"}
    found = node("return P.nearest(...given);", [SCENES, wanted], "atlas")
    apart = [sum(scene[name] != wanted[name] for name in CHOICES) for scene in SCENES]
    assert found == SCENES[int(np.argmin(apart))]


def test_the_axis_holds_every_interval():
    low, high = node("return P.reach(given);", SCENES, "atlas")
    pairs = [one["labels"] for one in SCENES]
    pairs += [cell[at : at + 2] for one in SCENES for cell in one["cells"] for at in (2, 4)]
    lowest, highest = min(mean - half for mean, half in pairs), max(mean + half for mean, half in pairs)
    assert low <= lowest < low + 5 and high - 5 < highest <= high and low % 5 == high % 5 == 0


# ---- in a browser


@pytest.fixture
def page(live):
    return live(Atlas())


def cell(page, temperature: int, weight: float):
    return page.locator(f"td[aria-label^='T = {temperature}, weight {weight}:']")


def test_every_cell_shows_its_interval_and_noise_is_grey(page):
    for temperature, weight, mean, half, *_ in Atlas().scene()["cells"]:
        one = cell(page, int(temperature), weight if weight < 1 else 1)
        assert numbers(one.locator("span").first) == pytest.approx([mean], abs=0.051)
        expected = "noise" if abs(mean) <= half else "more" if mean > 0 else "less"
        assert one.get_attribute("class") == expected
        fill = one.locator("rect").evaluate("node => getComputedStyle(node).fill")
        assert fill == {"noise": "rgb(244, 245, 247)", "more": "rgb(0, 114, 178)", "less": "rgb(192, 79, 0)"}[expected]


def test_hand_and_keys_choose_a_cell_and_its_parts_are_told(page):
    cell(page, 4, 0.75).click()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowUp")
    assert [state(page, name) for name in ("temperature", "soft_weight")] == [8, 0.9]
    page.keyboard.press("Home")
    assert state(page, "temperature") == 1
    found = Atlas(temperature=1.0, soft_weight=0.9).found
    told = page.locator(".part > :nth-child(3)").all_inner_texts()
    expected = [f"{found[part][0]:+.1f} ± {found[part][1]:.1f}" for part in ("labels", "softness", "gain")]
    assert [text.replace("−", "-") for text in told] == expected


def test_what_was_not_measured_is_said_and_the_nearest_is_a_click_away(page):
    page.get_by_role("combobox", name="Labelled images").select_option("240")
    page.get_by_text("These choices were not measured together.").first.wait_for()
    assert set(page.locator("td span:first-of-type").all_inner_texts()) == {"–"}
    page.get_by_role("button", name="Show the nearest that was").click()
    assert Atlas(**{name: state(page, name) for name in CHOICES}).scene() is not None
    assert not page.get_by_role("button", name="Show the nearest that was").is_visible()
