"""A study from end to end on made-up pictures: what it writes, what it repeats, what it refuses in one line."""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from conftest import kdlearn_command, require
from filelock import FileLock

from kdlearn.commands import main as cli
from kdlearn.data import Examples, ImageSplits, ViewBatches, load_images, stratified_sample
from kdlearn.data.files import read_json, write_json
from kdlearn.formulas.metrics import accuracy
from kdlearn.networks import load_weights, set_weights, weights_hash
from kdlearn.studies import (
    PRESETS,
    Network,
    Run,
    Schooling,
    Study,
    collect,
    distill,
    format_results,
    summarise,
)
from kdlearn.training.answers import label_views, read_labels
from kdlearn.training.loop import predict, train
from kdlearn.training.machine import best_machine
from kdlearn.training.strategies import GroundTruth, SoftLabels, SoftLabelsAndGroundTruth, TeachersHardLabels

TINY = PRESETS["tiny"]
STUDENT = TINY.student
RUNS = [Run(STUDENT, strategy, seed) for seed in (0, 1) for strategy in (GroundTruth(), SoftLabels(2.0))]
FILES = ["curve.json", "predictions.safetensors", "result.json", "weights.safetensors"]


def study_in(folder: Path, pictures: Path, **options) -> Study:
    images = load_images(pictures, num_validation=options.pop("validation", 0))
    return Study(str(pictures), images, folder=folder, progress=False, **{"preset": TINY, **options})


@pytest.fixture(scope="module")
def done(tmp_path_factory, pictures) -> Study:
    study = study_in(tmp_path_factory.mktemp("done"), pictures)
    distill(study, RUNS)
    return study


@pytest.fixture
def copied(done, tmp_path) -> Study:
    return replace(done, folder=shutil.copytree(done.folder, tmp_path / "copy"))


def contents(folder: Path) -> dict[str, tuple[int, bytes]]:
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != ".lock")
    return {str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes()) for path in files}


def model_of(study: Study, folder: Path, network: Network):
    model = study.network(network, seed=9)
    set_weights(model, load_weights(folder / "weights.safetensors"))
    return model


def test_every_file_is_there_and_no_other(done):
    labels = [f"labels/epoch-00{epoch}.safetensors" for epoch in (0, 1)]
    kept = [f"{part}/{name}" for part in ("teacher", *(f"runs/{run.name}" for run in RUNS)) for name in FILES]
    assert sorted(contents(done.folder)) == sorted(["settings.json", *labels, *kept])


def test_a_result_says_who_how_and_from_where(done):
    run = read_json(done.folder / "runs" / "airbench-4-8-8-soft-labels-2.0-seed-1" / "result.json")
    assert run["strategy"] == {"name": "soft labels", "temperature": 2.0} and run["seed"] == 1
    assert (run["student"], run["start"], run["copied_from_start"]) == ("airbench(4, 8, 8)", "random", [])
    assert (run["learning_rate"], run["epochs"], run["settings"]) == (0.1, 2, done.settings())
    assert run["machine"] == {"device": "cpu", "autocast": False, "compiled": False, "processes": 1}
    assert run["settings"]["data_set"] == "pictures" and run["settings"]["evaluated_on"] == "test"
    assert {"macro_recall", "macro_f1", "calibration_error", "agreement", "macs"} <= run.keys()
    assert run["provenance"].keys() == {"date", "commit", "versions", "machine"}
    teacher = read_json(done.folder / "teacher" / "result.json")
    assert run["teacher"].items() <= teacher.items() and teacher["agreement"] == 1 and teacher["accuracy"] > 0.6


@pytest.mark.parametrize("part", ["teacher", *(f"runs/{run.name}" for run in RUNS)])
def test_weights_are_those_of_the_hash_and_of_the_predictions(done, part):
    folder = done.folder / part
    model, run = (
        model_of(done, folder, TINY.teacher if part == "teacher" else STUDENT),
        read_json(folder / "result.json"),
    )
    assert weights_hash(model) == run["weights_sha256"]
    assert run["parameters"] == sum(weight.numel() for weight in model.parameters())
    logits = load_weights(folder / "predictions.safetensors")["logits"]
    assert torch.equal(predict(model, done.evaluation.images), logits)
    assert run["accuracy"] == (logits.argmax(dim=1) == done.images.test.labels).double().mean()
    assert [point["epoch"] for point in read_json(folder / "curve.json")] == [1, 2]


def test_the_labels_are_the_teachers_own(done):
    teacher, rows = model_of(done, done.folder / "teacher", TINY.teacher), torch.arange(180)
    origin = {"teacher": weights_hash(teacher), "data": done.images.key, "images": "180", "dtype": "float32"}
    for epoch in (0, 1):
        path = done.folder / "labels" / f"epoch-00{epoch}.safetensors"
        stored = read_labels(path, {**origin, "view_seed": "0", "pixels": "2", "flip": "True"})
        assert torch.equal(stored, predict(teacher, done.views(epoch, rows)))


def test_a_student_of_the_store_is_one_whose_teacher_answers_each_batch(done):
    teacher, rate = model_of(done, done.folder / "teacher", TINY.teacher), 0.01
    run = replace(RUNS[1], learning_rate=rate)

    class Asking(ViewBatches):
        def batch(self, epoch, rows):
            batch = super().batch(epoch, rows)
            return batch._replace(teacher_logits=predict(teacher, batch.images))

    asking = Asking(done.views, None, 50, seed=run.seed)
    reading = ViewBatches(
        done.views, None, 50, seed=run.seed, store=label_views(teacher, done.views, 2, progress=False)
    )
    students = [done.network(STUDENT, run.seed) for _ in range(2)]
    for student, batches in zip(students, (asking, reading), strict=True):
        schooling = run.schooling(TINY)
        train(student, batches, run.strategy, num_epochs=2, optimizer=schooling.optimizer, progress=False)
    for one, other in zip(*(student.state_dict().values() for student in students), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_where_few_images_are_labelled_a_student_alone_sees_these_alone_in_as_many_steps(copied):
    run, labels = Run(STUDENT, GroundTruth(), 0, labelled=1 / 3), copied.images.train.labels
    (path,) = distill(copied, [run])
    rows = stratified_sample(labels, 60, seed=0)
    batches, model = ViewBatches(copied.views, labels, 50, seed=0, rows=rows), copied.network(STUDENT, 0)
    train(model, batches, GroundTruth(), num_epochs=6, optimizer=TINY.student_schooling.optimizer, progress=False)
    assert read_json(path)["weights_sha256"] == weights_hash(model)
    assert read_json(path)["epochs"] == 6 and read_json(path)["labelled"] == 1 / 3


def test_with_a_teacher_it_sees_all_images_and_no_ground_truth_but_that_of_the_few(copied):
    """Against a training on labels written down by hand: the ground truth of 60 images, the teacher's of the rest."""
    run, labels = Run(STUDENT, TeachersHardLabels(), 1, labelled=1 / 3), copied.images.train.labels
    (path,) = distill(copied, [run])
    known = stratified_sample(labels, 60, seed=1).tolist()
    teacher, everything = model_of(copied, copied.folder / "teacher", TINY.teacher), torch.arange(180)
    written = torch.stack([predict(teacher, copied.views(epoch, everything)).argmax(dim=1) for epoch in (0, 1)])
    for row in known:
        written[:, row] = labels[row]

    class Written(ViewBatches):
        def batch(self, epoch, rows):
            return super().batch(epoch, rows)._replace(labels=written[epoch, rows])

    model = copied.network(STUDENT, 1)
    batches, optimizer = Written(copied.views, None, 50, seed=1), TINY.student_schooling.optimizer
    train(model, batches, GroundTruth(), num_epochs=2, optimizer=optimizer, progress=False)
    for name, weights in load_weights(path.parent / "weights.safetensors").items():
        torch.testing.assert_close(weights, model.state_dict()[name], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("share", [0.0, -0.1, 1.5, float("nan")])
def test_a_share_of_labels_lies_between_0_and_1(share):
    with pytest.raises(ValueError, match="above 0 and at most 1; got"):
        Run(STUDENT, GroundTruth(), 0, labelled=share)


def test_a_strategy_that_reads_every_label_is_refused_where_few_are_known():
    with pytest.raises(ValueError, match="they read the ground truth of every image"):
        Run(STUDENT, SoftLabelsAndGroundTruth(2.0, 0.5), 0, labelled=0.1)


def test_results_of_few_labels_stand_in_a_table_of_their_own(copied, capsys):
    words = ["distill", copied.source, "--out", copied.folder, "--preset", "tiny", "--labelled", "0.5", "--seeds", "1"]
    assert cli.main([*map(str, words), "--strategies", "ground-truth", "soft", "--quiet"]) == 0
    table = capsys.readouterr().out
    assert "airbench(4, 8, 8), 0.5 of the images labelled" in table and table.count("ground truth") >= 2


def test_run_again_it_trains_nothing(copied, monkeypatch):
    before = contents(copied.folder)
    monkeypatch.setattr("kdlearn.studies.images.train", None)
    paths = distill(copied, RUNS)
    assert contents(copied.folder) == before and [path.parent.name for path in paths] == [run.name for run in RUNS]


def test_what_is_missing_is_made_as_it_was(done, copied):
    before = contents(copied.folder)
    missing = copied.folder / "runs" / RUNS[3].name
    shutil.rmtree(missing)
    (copied.folder / "labels" / "epoch-001.safetensors").unlink()
    added = Run(STUDENT, TeachersHardLabels(), 0)
    distill(copied, [*RUNS, added])
    after = contents(copied.folder)
    assert {name.split("/")[1] for name in after.keys() - before.keys()} == {added.name}
    for name, (written, content) in before.items():
        remade = name.startswith((f"runs/{RUNS[3].name}", "labels/epoch-001"))
        assert after[name][0] == written or remade, name
        assert after[name][1] == content or (remade and not name.endswith("weights.safetensors")), name
    stored = load_weights(copied.folder / "labels" / "epoch-001.safetensors")["logits"]
    assert torch.equal(stored, load_weights(done.folder / "labels" / "epoch-001.safetensors")["logits"])


def test_a_student_can_start_from_the_teacher_or_a_file(copied, tmp_path):
    first = copied.folder / "runs" / RUNS[0].name / "weights.safetensors"
    other = copied.folder / "runs" / RUNS[2].name / "weights.safetensors"
    starts = [Run(STUDENT, GroundTruth(), 0, start) for start in ("teacher", str(first), str(other))]
    taught, filed, refiled = (read_json(path) for path in distill(copied, starts))
    whitening = ["0.weight", "0.bias"]
    assert taught["start"] == "teacher" and taught["copied_from_start"][:2] == whitening
    assert set(taught["copied_from_start"]) < set(load_weights(first))
    floating = [name for name, values in copied.network(STUDENT, 0).state_dict().items() if values.is_floating_point()]
    assert filed["copied_from_start"] == floating and filed["start"].startswith("weights ")
    assert len({run["weights_sha256"] for run in (taught, filed, refiled)}) == 3
    assert len(summarise(collect([copied.folder]))) == 2 + 3


def test_with_validation_images_the_test_images_are_not_read(tmp_path, pictures):
    study = study_in(tmp_path, pictures, validation=30)
    (path,) = distill(replace(study, images=study.images._replace(test=None)), [RUNS[1]])
    run, curve = read_json(path), read_json(path.parent / "curve.json")
    assert (run["settings"]["evaluated_on"], run["settings"]["images"]) == ("validation", 150)
    logits = load_weights(path.parent / "predictions.safetensors")["logits"]
    assert len(logits) == 30 and run["accuracy"] == accuracy(logits, study.images.validation.labels)
    assert [point["validation_accuracy"] for point in curve][-1] == run["accuracy"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"view_seed": 1}, "view_seed was 0, is now 1"),
        ({"labels_dtype": "float16"}, "labels_dtype was float32, is now float16"),
        ({"preset": replace(TINY, student_schooling=Schooling(3, 50))}, "student_schooling was .* is now"),
    ],
)
def test_another_study_is_refused_and_harms_nothing(copied, change, words):
    before = contents(copied.folder)
    with pytest.raises(ValueError, match=f"holds another study: {words}.*; name another folder"):
        distill(replace(copied, **change), RUNS)
    assert contents(copied.folder) == before


def test_a_folder_that_is_being_written_is_refused(copied):
    with FileLock(copied.folder / ".lock"), pytest.raises(BlockingIOError, match="is being written by another process"):
        distill(copied, RUNS)


def test_of_two_processes_the_second_stops_and_the_first_ends_well(pictures, tmp_path, capsys):
    words = "distill", pictures, "--out", tmp_path / "out", "--preset", "tiny", "--seeds", 2, "--quiet"
    first = kdlearn_command(*words)
    while not (tmp_path / "out" / "settings.json").exists():
        assert first.poll() is None, first.communicate()
    assert cli.main([str(word) for word in words]) == 1
    assert capsys.readouterr().err == (
        f"kdlearn: {tmp_path / 'out'} is being written by another process; wait, or name another folder\n"
    )
    printed, errors = first.communicate(timeout=120)
    assert first.returncode == 0 and errors == "" and "soft labels + ground truth, weight 0.9, T = 2" in printed
    assert len(collect([tmp_path / "out"])) == 10


# Results


def split_by_seed(study: Study, folder: Path) -> list[Path]:
    """The study as two machines would have written it, a seed each, from the same teacher."""
    parts = [shutil.copytree(study.folder, folder / f"machine-{seed}") for seed in (0, 1)]
    for seed, part in enumerate(parts):
        for path in part.glob(f"runs/*seed-{1 - seed}"):
            shutil.rmtree(path)
    return parts


def alter(path: Path, **changes) -> None:
    write_json(path, read_json(path) | changes)


def test_differences_are_paired_by_seed_with_students_interval(done):
    found = {run.name: read_json(done.folder / "runs" / run.name / "result.json")["accuracy"] for run in RUNS}
    plain, soft, plain_1, soft_1 = (100 * found[run.name] for run in RUNS)
    gains = soft - plain, soft_1 - plain_1
    mean, half_width = sum(gains) / 2, 12.7062 * abs(gains[0] - gains[1]) / 2  # t at 97.5 %, one degree of freedom
    reference, row = summarise(collect([done.folder]))
    assert reference["difference"] is None and row["arm"] == "soft labels" and row["seeds"] == 2
    assert row["difference"][:2] == pytest.approx((mean, half_width), abs=1e-3)
    assert f"{mean:+.1f} ± {half_width:.1f}" in format_results(collect([done.folder]))


def test_results_of_several_machines_stand_in_one_table(done, tmp_path, capsys):
    parts = split_by_seed(done, tmp_path)
    assert collect(parts) == collect([done.folder])
    assert cli.main(["results", *map(str, parts)]) == cli.main(["results", str(done.folder)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[: len(lines) // 2] == lines[len(lines) // 2 :] and "2 seeds" in lines[1]


def test_a_single_seed_has_no_interval(done, tmp_path):
    table = format_results(collect(split_by_seed(done, tmp_path)[:1])).splitlines()
    assert not any("±" in line or "nan" in line for line in table[2:])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda path: None, "are the same run; leave one of them out"),
        (lambda path: alter(path, seed=7, settings={**read_json(path)["settings"], "pixels": 1}), "pixels was"),
        (
            lambda path: alter(path, seed=7, teacher={**read_json(path)["teacher"], "weights_sha256": "0"}),
            "teacher's weights was",
        ),
        (lambda path: path.write_text("[]"), "is no result of a student; leave it out"),
        (lambda path: path.write_text("{}"), "is no result of a student; leave it out"),
        *(
            (lambda path, n=n: path.write_bytes(path.read_bytes()[: 150 * n]), "is no whole JSON file")
            for n in range(9)
        ),
        (lambda path: path.write_bytes(b"\xff\x00"), "is no whole JSON file"),
    ],
)
def test_results_that_cannot_stand_together_are_refused_in_one_line(done, tmp_path, capsys, change, words):
    part = split_by_seed(done, tmp_path)[0]
    change(part / "runs" / RUNS[0].name / "result.json")
    assert cli.main(["results", str(done.folder), str(part)]) == 1
    printed = capsys.readouterr()
    assert words in printed.err and len(printed.err.splitlines()) == 1 and printed.out == ""


def test_learning_rates_stand_apart(copied):
    distill(copied, [replace(run, learning_rate=0.2) for run in RUNS[:2]])
    rows = format_results(collect([copied.folder])).splitlines()
    assert "airbench(4, 8, 8), learning rate 0.2" in rows and "airbench(4, 8, 8)" in rows


# Presets and networks


def test_the_gpu_preset_from_end_to_end(tmp_path):
    """Its own networks, 256 images, two steps each."""
    images, labels = torch.randint(256, (256, 3, 32, 32), dtype=torch.uint8), torch.arange(256) % 10
    train, test = Examples(images, labels), Examples(images[:20], labels[:20])
    splits = ImageSplits(
        train, Examples(images[:0], labels[:0]), test, tuple("abcdefghij"), (0.5,) * 3, (0.3,) * 3, "k"
    )
    short = replace(PRESETS["gpu"].student_schooling, num_epochs=1, batch_size=128)
    preset = replace(PRESETS["gpu"], teacher_schooling=short, student_schooling=short, label_epochs=1)
    study = Study("noise", splits, preset, tmp_path, best_machine("cpu"), progress=False)
    runs = [Run(preset.student, strategy, 0) for strategy in (GroundTruth(), SoftLabels(4.0))]
    assert len(distill(study, runs)) == 2
    table = format_results(collect([tmp_path]))
    assert "the teacher is resnet18(64)" in table and "11,173,962" in table and "soft labels, T = 4" in table


@pytest.mark.parametrize(
    "text", ["airbench", "airbench:8", "airbench:8,8,0", "airbench:8,8,x", "resnet18:8,8", "vgg:8"]
)
def test_a_network_that_is_none_is_told_how_one_is_written(text):
    with pytest.raises(ValueError, match=f"a network is written airbench:24,88,88 or resnet18:64; got {text}"):
        Network.parse(text)


def test_networks_are_written_as_they_are_read():
    assert Network.parse("airbench:4,8,8") == STUDENT and str(Network.parse("resnet18:64")) == "resnet18(64)"


# What the command cannot use


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere"], "there is no folder nowhere"),
        (["{tmp}/text"], "is no image that can be used"),
        (["{tmp}/hollow"], "class cube is empty"),
        (["{data}", "--strategies", "best"], "a strategy is one of ground-truth, smoothed, hard, soft, both; got best"),
        (["{data}", "--strategies", "hard", "--temperature", "0"], "temperature must be above 0 and finite; got 0"),
        (["{data}", "--temperature", "2", "-1"], "temperature must be above 0 and finite; got -1"),
        (["{data}", "--soft-weight", "1.5"], "soft_weight must lie in [0, 1]; got 1.5"),
        (["{data}", "--students", "airbench:4"], "a network is written airbench:24,88,88"),
        (["{data}", "--teacher", "vgg:64"], "a network is written airbench:24,88,88"),
        (["{data}", "--teacher-weights", "{tmp}/none"], "No such file or directory"),
        (["{data}", "--teacher-weights", "{tmp}/text/train/a/0.png"], "is not a whole safetensors file"),
        (["{data}", "--teacher-weights", "{student}"], "must have the same shape in both"),
        (["{data}", "--start", "{tmp}/none"], "No such file or directory"),
        (["{data}", "--start", "{tmp}/text/train/a/0.png"], "is not a whole safetensors file"),
        (["{data}", "--out", "{tmp}/text/train/a/0.png"], "File exists"),
        (["{data}", "--out", "{tmp}/text/train/a/0.png/below"], "Not a directory"),
        (["{data}", "--validation", "1000"], "num_validation must be 0 or 3"),
        (["{data}", "--device", "toaster"], "device must be cuda, mps or cpu, and be there; got toaster"),
        (["{data}", "--seeds", "0"], "a whole number of at least 1 is expected; got 0"),
        (["{data}", "--epochs", "-1"], "a whole number of at least 1 is expected; got -1"),
    ],
)
def test_bad_input_is_one_line_and_trains_nothing(pictures, done, tmp_path, capsys, monkeypatch, words, message):
    monkeypatch.setattr("kdlearn.studies.images.train", None)
    shutil.copytree(pictures, tmp_path / "hollow")
    for path in (tmp_path / "hollow" / "test" / "cube").iterdir():
        path.unlink()
    for split in ("train", "test"):
        (tmp_path / "text" / split / "a").mkdir(parents=True)
        (tmp_path / "text" / split / "a" / "0.png").write_text("no image")
    student = done.folder / "runs" / RUNS[0].name / "weights.safetensors"
    words = [word.format(tmp=tmp_path, data=pictures, student=student) for word in words]
    try:
        code = cli.main(["distill", "--out", str(tmp_path / "out"), "--preset", "tiny", "--quiet", *words])
    except SystemExit as stop:  # argparse's own errors
        code = stop.code
    printed = capsys.readouterr()
    assert code in (1, 2) and message in printed.err and printed.out == ""
    assert len(printed.err.splitlines()) == 1 and printed.err.startswith("kdlearn")
    assert (tmp_path / "text/train/a/0.png").read_text() == "no image"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no limit to the size of files")
@pytest.mark.parametrize("limit", [200, 1500, 10_000, 30_000])
def test_a_full_disk_is_one_line_and_what_was_there_goes_on(done, pictures, tmp_path, capsys, limit):
    """No file may grow beyond the limit, as on a disk with no more room than that."""
    import resource

    words = ["distill", str(pictures), "--out", str(tmp_path / "out"), "--preset", "tiny", "--seeds", "1", "--quiet"]
    words += ["--strategies", "ground-truth", "--device", "cpu"]
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        code = cli.main(words)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    printed = capsys.readouterr()
    assert code == 1 and printed.err.startswith("kdlearn: [Errno 27] File too large") and printed.out == ""
    assert len(printed.err.splitlines()) == 1
    assert cli.main(words) == 0 and len(collect([tmp_path / "out"])) == 1


@pytest.mark.parametrize("name", ["settings.json", "teacher/result.json", "teacher/weights.safetensors"])
def test_a_damaged_study_is_refused_in_words(copied, name):
    path = copied.folder / name
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(ValueError, match=f"{path.name} is no.* whole"):
        distill(copied, [*RUNS, Run(STUDENT, GroundTruth(), 2)])


def test_every_preset_has_its_name_on_the_command_line():
    assert set(cli.PRESET_NAMES) == set(PRESETS)


# The real images


def test_the_networks_of_the_cpu_preset_learn_from_photographs(tmp_path):
    data = Path(os.environ.get("KDLEARN_DATA", "data"))
    require(
        (data / "train" / "frog").is_dir(), "KDLEARN_DATA must name a folder that holds CIFAR-10 in train/ and test/"
    )
    for split, count in {"train": 40, "test": 10}.items():
        for source in sorted((data / split).iterdir()):
            (target := tmp_path / "photographs" / split / source.name).mkdir(parents=True)
            for path in sorted(source.iterdir())[:count]:
                shutil.copy(path, target)
    short = Schooling(3, batch_size=50)
    preset = replace(PRESETS["cpu"], teacher_schooling=short, student_schooling=short, label_epochs=3)
    study = study_in(tmp_path / "out", tmp_path / "photographs", preset=preset, machine=best_machine("cpu"))
    paths = distill(study, [Run(preset.student, SoftLabels(2.0), 0)])
    for folder in (study.folder / "teacher", paths[0].parent):
        losses = [point["loss"] for point in read_json(folder / "curve.json")]
        assert losses[-1] < losses[0] and read_json(folder / "result.json")["accuracy"] > 0.15
