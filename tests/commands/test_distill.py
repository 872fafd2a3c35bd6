"""`kdlearn distill` and `kdlearn results` on made-up pictures: what they train, keep, add to, and print."""

import warnings
from dataclasses import replace

import pandas as pd
import pytest
from conftest import Command
from small import made_comparison

import kdlearn
from kdlearn.commands.results import FILE, combined, in_parts
from kdlearn.comparing.comparison import Comparison
from kdlearn.data.images import load_images
from kdlearn.engine.run import Run
from kdlearn.networks.weights import load_weights

SMALL = ("--preset", "tiny", "--teacher", "mine:small", "--student", "mine:small")


def table_in(folder) -> pd.DataFrame:
    return Comparison.load(folder / FILE).table


@pytest.fixture
def runs(monkeypatch) -> list[Run]:
    """The runs that a command asks for; none is carried out."""
    found: list[Run] = []

    def study(runs, *arguments, **options):
        found.extend(runs)
        raise KeyboardInterrupt

    monkeypatch.setattr("kdlearn.commands.experiment.study", study)
    return found


def test_a_study_is_trained_kept_and_printed(here, pictures, kdlearn_here: Command):
    words = ["distill", pictures, "--out", "out", "--preset", "tiny", "--strategies", "ground-truth,soft"]
    first = kdlearn_here(*words, "--seeds", 2)
    assert first.code == 0 and not first.err
    assert "ground truth" in first.out and "soft labels" in first.out and "2 seeds" in first.out
    weights = [load_weights(path) for path in (here / "out/networks").iterdir()]
    assert len(weights) == 5  # the teacher's and the students'
    table = table_in(here / "out")
    assert sorted(zip(table["strategy"], table["seed"], strict=True)) == [
        (name, seed) for name in ("ground truth", "soft labels") for seed in (0, 1)
    ]
    assert kdlearn_here("results", "out").out == first.out
    (row,) = table[(table["strategy"] == "soft labels") & (table["seed"] == 1)].to_dict("records")
    exported = kdlearn_here("export", "out", "--strategy", "soft", "--seed", 1, "--out", "mine.safetensors")
    assert exported.code == 0 and f"accuracy {row['accuracy']}" in exported.out
    student = kdlearn.airbench((4, 8, 8), 3, 3)
    kdlearn.set_weights(student, load_weights("mine.safetensors"))
    test = load_images(pictures)
    right = kdlearn.accuracy(kdlearn.predict(student, test.inputs("test")), test.test.labels)
    assert right == pytest.approx(row["accuracy"], abs=0.05)  # there in half precision, here in full
    for odd, expected in {
        ("out", "--strategy", "soft", "--out", "mine.safetensors"): "is there already: name another file",
        ("out", "--strategy", "soft", "--seed", 5, "--out", "other"): "nothing in the table is 'soft labels'",
        ("out", "--strategy", "sift", "--out", "other"): "'sift' is no strategy of the table",
        (pictures, "--strategy", "soft", "--out", "other"): "holds no results of kdlearn",
    }.items():
        refused = kdlearn_here("export", *odd)
        assert refused.code and expected in refused.err and not (here / "other").exists()
    again = kdlearn_here(*words, "--seeds", 2)
    assert again.out == first.out
    pd.testing.assert_frame_equal(table_in(here / "out"), table)  # seconds too: nothing was trained again


def test_the_table_holds_what_the_last_command_asked_for(here, pictures, kdlearn_here: Command):
    words = ["distill", pictures, "--out", "out", *SMALL]
    assert kdlearn_here(*words, "--seeds", 3, "--strategies", "ground-truth").code == 0
    before = table_in(here / "out")
    assert kdlearn_here(*words, "--seeds", 2, "--strategies", "ground-truth,hard").code == 0
    after = table_in(here / "out")
    assert len(before) == 3 and len(after) == 4 and set(before.columns) <= set(after.columns)
    other = kdlearn_here(*words, "--strategies", "hard", "--resize", 16)
    assert other.code == 1 and "another folder" in other.err
    pd.testing.assert_frame_equal(table_in(here / "out"), after)


def test_own_strategies_and_a_trained_teacher_need_no_file_of_ours(here, pictures, kdlearn_here: Command):
    own = ["--teacher", "mine:trained", "--student", "mine:small", "--seeds", 2]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        words = ["--preset", "tiny", "--strategies", "ground-truth,mine:Distance,mine:farther"]
        result = kdlearn_here("distill", pictures, "--out", "out", *own, *words)
    assert result.code == 0, result.err
    printed = kdlearn_here("results", "out").out
    assert "own distance, T = 3" in printed and "own distance, T = 5" in printed
    table = table_in(here / "out")
    assert set(table["student"]) == {"mine:small"} and set(table["teacher"]) == {"", "mine:trained"}
    assert len(list((here / "out/networks").iterdir())) == 6  # the students' alone: the teacher is not trained


@pytest.mark.release
def test_a_worker_finds_the_same(here, pictures, kdlearn_here: Command):
    words = ["distill", pictures, *SMALL, "--seeds", 2, "--strategies", "ground-truth,mine:Distance"]
    one, other = kdlearn_here(*words, "--out", "one", "--workers", 1), kdlearn_here(*words, "--out", "other")
    assert one.code == other.code == 0 and one.out == other.out


def test_every_strategy_and_seed_by_one_teacher(pictures, runs, kdlearn_here: Command):
    assert kdlearn_here("distill", pictures, "--out", "out", "--preset", "tiny", "--seeds", 3).code == 130
    assert len(runs) == len({(run.strategy.name, run.seed) for run in runs}) == 5 * 3
    assert all(run.keep for run in runs) and {id(run.teacher) for run in runs} == {id(runs[0].teacher)}
    student, teacher = runs[0], runs[0].teacher
    assert student.lengths == teacher.lengths == (2 * 10,)  # two epochs of ten batches
    assert student.views.flip and student.views.period == 2 and teacher.views.period is None


def test_the_temperature_goes_to_those_of_ours_that_have_one(pictures, runs, kdlearn_here: Command):
    words = ["--preset", "tiny", "--temperature", 3, "--strategies", "hard,soft,both,decoupled,mine:farther"]
    assert kdlearn_here("distill", pictures, "--out", "out", *words, "--seeds", 1).code == 130
    assert [run.strategy.settings.get("temperature") for run in runs] == [None, 3, 3, 3, 5]
    assert runs[2].strategy.soft_weight == 0.9


def test_digits_are_not_mirrored(monkeypatch, here, pictures, runs, kdlearn_here: Command):
    images = replace(load_images(pictures), name="mnist")
    monkeypatch.setattr("kdlearn.commands.experiment.load_images", lambda *given, **how: images)
    assert kdlearn_here("distill", "mnist", "--out", "out", "--preset", "tiny").code == 130
    assert runs and not any(run.views.flip or run.teacher.views.flip for run in runs)


def comparison(**columns) -> Comparison:
    made = made_comparison(replicates=1, seeds=3).table.assign(student="s", loss=1.0)
    front = ["strategy", "student", "teacher", "replicate", "seed", "length", *columns.keys() - {"student"}]
    return Comparison(made.assign(**columns)[[*front, "accuracy", "loss"]])


def test_several_folders_in_one_table():
    one, other = comparison(student="a"), comparison(student="b", rate=0.1)
    both = combined([one, other])
    assert len(both.table) == 12 and list(both.table.columns[-2:]) == ["accuracy", "loss"]
    text = in_parts(both)
    assert "student a" in text and "student b" in text and text.count("ground truth  ") == 2
    with pytest.raises(ValueError, match="twice"):
        combined([one, one])
    with pytest.raises(ValueError, match="data_key"):
        combined([comparison(data_key="x"), comparison(data_key="y", student="b")])
    with pytest.raises(ValueError, match="measure"):
        combined([one, Comparison(other.table, metric="loss", share=False)])


def test_a_damaged_table_is_refused(here, kdlearn_here: Command):
    (here / "out").mkdir()
    comparison().save(here / "out" / FILE)
    whole = (here / "out" / FILE).read_bytes()
    (here / "out" / FILE).write_bytes(whole[:-9] + b"x" + whole[-8:])
    result = kdlearn_here("results", "out")
    assert result.code == 1 and "altered" in result.err and len(result.err.splitlines()) == 1


def test_names_in_files_steer_no_terminal(here, kdlearn_here: Command):
    (here / "out").mkdir()
    table = comparison().table.replace("soft labels", "soft\x1b[2Jlabels")
    Comparison(table).save(here / "out" / FILE)
    result = kdlearn_here("results", "out")
    assert result.code == 0 and "\x1b" not in result.out and "soft\\x1b[2Jlabels" in result.out


def test_what_cannot_be_kept_is_not_begun(monkeypatch, here, pictures, trained, kdlearn_here: Command):
    monkeypatch.setattr("kdlearn.engine.keys.sources", (here / "own.py").read_text)
    result = kdlearn_here("distill", pictures, "--out", "out", "--preset", "tiny", "--seeds", 1)
    assert result.code == 1 and "not kept" in result.err and not trained and not (here / "out").exists()
