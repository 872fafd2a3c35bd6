"""`kdlearn distill` and `kdlearn results` on made-up pictures: what they train, keep, add to, and print."""

import warnings
from pathlib import Path

import pandas as pd
import pytest
import torch
from conftest import Command

from kdlearn.commands.distill import repeated
from kdlearn.commands.presets import PRESETS, network_named
from kdlearn.commands.results import FILE, combined, in_parts
from kdlearn.comparing.comparison import Comparison
from kdlearn.data.images import load_images, stand_in
from kdlearn.engine.run import Run
from kdlearn.networks.weights import load_weights, set_weights


def table_in(folder) -> pd.DataFrame:
    return Comparison.load(folder / FILE).table


@pytest.fixture
def runs(monkeypatch) -> list[Run]:
    """The runs that a command asks for; none is carried out."""
    found: list[Run] = []

    def study(runs, *arguments, **options):
        found.extend(runs)
        raise KeyboardInterrupt

    monkeypatch.setattr("kdlearn.commands.asked.study", study)
    return found


@pytest.fixture
def asked(pictures, runs, kdlearn_here: Command):
    """The runs of a tiny study with these words."""

    def asked(*words: object) -> list[Run]:
        runs.clear()
        result = kdlearn_here("distill", pictures, "--out", "out", "--preset", "tiny", "--seeds", 1, *words)
        assert result.code == 130, result.err
        return list(runs)

    return asked


def test_a_study_is_trained_kept_and_printed(here, pictures, kdlearn_here: Command):
    words = ["distill", pictures, "--out", "out", "--preset", "tiny", "--strategies", "ground-truth", "soft"]
    first = kdlearn_here(*words, "--seeds", 2)
    assert first.code == 0 and not first.err
    assert "ground truth" in first.out and "soft labels" in first.out and "2 seeds" in first.out
    assert len(list((here / "out/networks").iterdir())) == 5  # the teacher's and the students' weights
    table = table_in(here / "out")
    assert sorted(zip(table["strategy"], table["seed"], strict=True)) == [
        (name, seed) for name in ("ground truth", "soft labels") for seed in (0, 1)
    ]
    assert kdlearn_here("results", "out").out == first.out
    again = kdlearn_here(*words, "--seeds", 2)
    assert again.out == first.out
    pd.testing.assert_frame_equal(table_in(here / "out"), table)  # seconds too: nothing was trained again


def test_the_table_holds_what_the_last_command_asked_for(here, pictures, kdlearn_here: Command):
    words = ["distill", pictures, "--out", "out", "--preset", "tiny", "--students", "mine:small"]
    assert kdlearn_here(*words, "--seeds", 3, "--strategies", "ground-truth").code == 0
    before = table_in(here / "out")
    assert kdlearn_here(*words, "--seeds", 2, "--strategies", "ground-truth", "hard").code == 0
    after = table_in(here / "out")
    assert len(before) == 3 and len(after) == 4 and set(before.columns) <= set(after.columns)
    other = kdlearn_here(*words, "--seeds", 2, "--strategies", "hard", "--validation", 30)
    assert other.code == 1 and "another folder" in other.err
    pd.testing.assert_frame_equal(table_in(here / "out"), after)


def test_an_own_strategy_needs_no_file_of_ours(here, pictures, kdlearn_here: Command):
    own = ["--teacher", "mine:small", "--students", "mine:small", "--strategies", "ground-truth", "mine:Distance"]
    words = ["distill", pictures, "--out", "out", "--preset", "tiny", "--seeds", 2, "--batch-size", 30]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert kdlearn_here(*words, *own, "--temperature", 3, 5, "--validation", 30).code == 0
    printed = kdlearn_here("results", "out").out
    assert "own distance, T = 3" in printed and "own distance, T = 5" in printed
    table = table_in(here / "out")
    assert set(table["measured_on"]) == {"validation"} and set(table["student"]) == {"mine:small"}


def test_students_start_from_the_teacher_that_is_trained_first(here, pictures, kdlearn_here: Command):
    words = ["--teacher", "mine:small", "--students", "mine:small", "--strategies", "soft", "--seeds", 1]
    result = kdlearn_here("distill", pictures, "--out", "out", "--preset", "tiny", "--start", "teacher", *words)
    assert result.code == 0, result.err
    kept = [load_weights(path) for path in (here / "out/networks").iterdir()]
    assert len(kept) == 2 and table_in(here / "out")["start"].tolist() == ["teacher"]
    assert kdlearn_here("distill", pictures, "--out", "out", "--preset", "tiny", "--start", "teacher", *words).out == (
        result.out
    )


def test_a_teacher_that_is_there_is_not_trained(here, pictures, runs, kdlearn_here: Command):
    from kdlearn.networks.basic import seeded
    from kdlearn.networks.weights import save_weights

    teacher = seeded(network_named("airbench:4,4,4", load_images(pictures)), 7)
    save_weights(here / "t.safetensors", teacher)
    words = ["--teacher", "airbench:4,4,4", "--teacher-weights", "t.safetensors", "--strategies", "soft", "--seeds", 2]
    assert kdlearn_here("distill", pictures, "--out", "out", "--preset", "tiny", *words).code == 130
    assert len(runs) == 2 and all(torch.equal(runs[0].teacher[0].weight, run.teacher[0].weight) for run in runs)
    set_weights(runs[0].teacher, teacher.state_dict())
    assert "t " in runs[0].names["teacher"]


@pytest.mark.release
def test_a_worker_finds_the_same(here, pictures, kdlearn_here: Command):
    words = ["distill", pictures, "--preset", "tiny", "--teacher", "mine:small", "--students", "mine:small"]
    words += ["--seeds", 2, "--strategies", "ground-truth", "mine:Distance"]
    one, other = kdlearn_here(*words, "--out", "one", "--workers", 1), kdlearn_here(*words, "--out", "other")
    assert one.code == other.code == 0 and one.out == other.out


def test_every_student_strategy_and_seed(asked):
    found = asked("--students", "airbench:4,8,8", "mine:small", "--seeds", 3)
    kinds = {(run.names["student"], run.strategy.name, run.seed) for run in found}
    assert len(found) == len(kinds) == 2 * 5 * 3 and all(run.keep for run in found)
    assert {id(run.teacher) for run in found} == {id(found[0].teacher)}


def test_temperatures_and_weights_go_to_the_strategies_that_have_them(asked):
    words = ["--temperature", 2, 4, "--soft-weight", 0.5, 0.9, "--learning-rate", 0.1, 0.2, "--validation", 30]
    found = asked("--strategies", "hard", "soft", "both", "jensen-shannon", "mine:Distance", *words)
    counts = pd.Series([run.strategy.name for run in found]).value_counts()
    assert counts.to_dict() == {
        "teacher's hard labels": 2,
        "soft labels": 4,
        "soft labels + ground truth": 8,
        "Jensen–Shannon": 4,
        "own distance": 4,
    }
    assert {run.recipe.learning_rate for run in found} == {0.1, 0.2}
    assert {run.measured_on for run in found} == {found[0].teacher.measured_on} == {"validation"}


def test_lengths_are_epochs_of_these_images(asked):
    teacher, student = asked("--strategies", "soft")[0].teacher, asked("--strategies", "soft")[0]
    assert teacher.lengths == student.lengths == (round(2 * 180 / 50),)
    student = asked("--strategies", "soft", "--epochs", 5, "--batch-size", 20, "--teacher-epochs", 3)[0]
    assert (student.lengths, student.batch_size, student.teacher.lengths) == ((45,), 20, (round(3 * 180 / 50),))
    assert student.views.period == 2 and student.teacher.views.period is None


def test_few_labels(asked):
    truth, smoothed, hard, soft = asked("--labelled", 0.2)
    assert [run.strategy.name for run in (truth, smoothed)] == ["ground truth", "smoothed ground truth"]
    assert len(truth.rows) == len(smoothed.rows) == 36 and len(hard.rows) == len(soft.rows) == 180
    assert truth.lengths == soft.lengths and soft.strategy.otherwise.temperature == 2
    assert soft.data.train.labels[~soft.data.train.known].eq(-1).all()  # what is not known is not there
    counts = soft.data.train.labels[soft.data.train.known].bincount()
    assert counts.tolist() == [12, 12, 12] and soft.teacher.data.train.known is None
    assert {run.names["teacher"] == "" for run in (truth, smoothed)} == {True} and hard.names["teacher"]


def test_teachers_and_views_as_asked(asked):
    plain = asked("--strategies", "soft")[0]
    assert plain.views.flip and plain.teacher.strategy.name == "ground truth" and plain.answers == "float32"
    other = asked("--strategies", "soft", "--no-flip", "--teacher-smoothing", 0.2, "--half-labels")[0]
    assert not other.views.flip and not other.teacher.views.flip and other.answers == "float16"
    assert other.teacher.strategy.smoothing == 0.2 and "smoothing 0.2" in other.names["teacher"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], {"root": None, "download": False}),
        (["--root", "elsewhere", "--download"], {"root": Path("elsewhere"), "download": True}),
        (["--validation", 30], {"num_validation": 30}),
    ],
)
def test_a_named_set_is_read_from_its_root_and_fetched_if_asked(
    monkeypatch, here, pictures, runs, kdlearn_here, words, expected
):
    images, told = load_images(pictures, num_validation=30), []
    monkeypatch.setattr("kdlearn.commands.asked.load_images", lambda *given, **how: told.append((given, how)) or images)
    assert kdlearn_here("distill", "cifar10", "--out", "out", "--preset", "tiny", *words).code == 130 and runs
    ((given, how),) = told
    assert given == ("cifar10",) and expected.items() <= how.items()


def test_digits_are_not_mirrored(monkeypatch, here, pictures, runs, kdlearn_here: Command):
    images = load_images(pictures)
    monkeypatch.setattr("kdlearn.commands.asked.load_images", lambda *given, **how: images)
    assert kdlearn_here("distill", "mnist", "--out", "out", "--preset", "tiny").code == 130
    assert runs and not any(run.views.flip or run.names["mirrored"] == "True" for run in runs)


def test_one_learning_rate_is_the_students_alone(asked):
    usual, found = asked("--strategies", "soft")[0], asked("--strategies", "soft", "--learning-rate", 0.123)
    assert [run.recipe.learning_rate for run in found] == [0.123] != [usual.recipe.learning_rate]
    assert found[0].teacher.recipe.learning_rate == usual.teacher.recipe.learning_rate != 0.123


def test_the_same_first_weights_for_all_of_a_seed(asked):
    found = asked("--seeds", 2, "--strategies", "soft", "ground-truth")
    weights = {
        (run.strategy.name, run.seed): torch.cat([w.flatten() for w in run.build().parameters()]) for run in found
    }
    assert torch.equal(weights["soft labels", 0], weights["ground truth", 0])
    assert not torch.equal(weights["soft labels", 0], weights["soft labels", 1])


@pytest.mark.parametrize("name", PRESETS)
def test_presets_build(name):
    data = stand_in()
    for network in (PRESETS[name].teacher, PRESETS[name].student):
        built = network_named(network, data)()
        assert built.eval()(data.inputs("train", slice(0, 2))).shape == (2, 10)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("--a 1 2 3 --b 4 5", "--a 1 --a 2 --a 3 --b 4 5"),
        ("--a -1 -2 x --b", "--a -1 --a -2 --a x --b"),
        ("x --a", "x --a"),
        ("--a 1 --a 2 3", "--a 1 --a 2 --a 3"),
        ("--a=1 2", "--a=1 2"),
    ],
)
def test_several_values_of_an_option(words, expected):
    assert repeated(words.split(), {"--a"}) == expected.split()


def comparison(**columns) -> Comparison:
    rows = [
        {"strategy": name, "student": "s", "teacher": "", "replicate": 0, "seed": seed, "length": 9}
        | columns
        | {"accuracy": 0.5 + 0.1 * seed + 0.01 * len(name), "loss": 1.0}
        for name in ("ground truth", "soft labels")
        for seed in (0, 1, 2)
    ]
    return Comparison(pd.DataFrame(rows))


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
    monkeypatch.setattr("kdlearn.engine.keys.source_of", lambda found: (_ for _ in ()).throw(unreadable()))
    result = kdlearn_here("distill", pictures, "--out", "out", "--preset", "tiny", "--seeds", 1)
    assert result.code == 1 and "not kept" in result.err and not trained and not (here / "out").exists()


def unreadable() -> Exception:
    from kdlearn.engine.keys import UnreadableSourceError

    return UnreadableSourceError("the source of a lambda cannot be read")


def test_asked_has_the_options_of_the_command():
    """Every option is read by what turns options into runs, or before."""
    import inspect

    from kdlearn.commands import asked, contradictions, distill

    text = "".join(map(inspect.getsource, (asked, contradictions, distill.carry_out)))
    for name in inspect.signature(distill.distill).parameters:
        assert name == "context" or f"options.{name}" in text or f'"{name}"' in text, name
