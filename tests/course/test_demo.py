"""The first distillation, shortened: its arms, their pairing, and a sentence that says what it found."""

import pytest

from kdcourse import demo
from kdlearn.comparing.comparison import Comparison


@pytest.fixture(scope="module")
def short() -> Comparison:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(demo, "UPDATES_OF", {demo.PLAIN: 20, demo.SHIFTED: 25})
        patched.setattr(demo, "NUM_UPDATES", 20)
        return demo.demo(2, 2)


def test_every_arm_has_every_replicate_and_seed(short):
    counts = short.table.groupby(short.labels).size()
    assert len(counts) == 8 and (counts == 4).all()
    assert short.table["images"].value_counts().to_dict() == {60: 24, 1200: 8}
    assert {"rows", "learning_rate"}.isdisjoint(short.table)


def test_only_the_labels_differ_between_arms_on_the_same_images(short):
    """Ground truth and the teacher's labels are paired: the same sample, first weights and order."""
    for seed in range(2):
        runs = [run for run in demo.runs_of(1, 2) if run.seed == seed and run.sample == 60]
        assert len({run.own_seed for run in runs}) == 1 and len({tuple(run.rows.tolist()) for run in runs}) == 1


def test_its_sentence_is_made_of_its_differences(short):
    sentence = demo.finding(short)
    for one, other in [
        (demo.SOFT, demo.TRUTH),
        (demo.HARD, demo.TRUTH),
        (demo.SOFT, demo.HARD),
        (demo.ALL_SOFT, demo.ALL_HARD),
    ]:
        assert f"{short.difference(one, other):+.1f}" in sentence
    assert str(short).count("Note:") == len(short.notes)
