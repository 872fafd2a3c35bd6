"""The plan on languages: two texts side by side, arms of equal tuning, intervals that cross languages and articles."""

import pandas as pd
import pytest
import torch

from kdcourse import codes_of
from kdcourse.data.languages import LANGUAGES, TESTED
from kdcourse.data.ngrams import texts_of
from kdlearn import Comparison, Dataset, Split
from kdlearn.formulas.intervals import crossed_interval


@pytest.fixture
def plan(script_of):
    return script_of("languages/plan")


@pytest.fixture
def declaration(plan, monkeypatch):
    """Instead of the declaration: every language has a word of its own."""

    def load(split: int, length: int) -> Dataset:
        parts = {}
        for name, count in {"train": 8, "validation": 4, "test": TESTED}.items():
            texts = [f"{language} {name} {split}" for language in LANGUAGES for _ in range(count)]
            parts[name] = Split(codes_of(texts, length), torch.arange(24).repeat_interleave(count))
        return Dataset(**parts, class_names=tuple(LANGUAGES))

    monkeypatch.setattr(plan.kdcourse, "load_languages", load)


def test_own_sentences_are_of_languages_that_are_known_ten_of_each(plan):
    sentences = plan.read_json(plan.SENTENCES)
    assert set(sentences) < set(LANGUAGES) and {len(set(some)) for some in sentences.values()} == {10}
    assert len({one for some in sentences.values() for one in some}) == 10 * len(sentences)


@pytest.mark.parametrize("name", ["Romance", "50 characters"])
def test_the_test_is_the_declaration_and_then_the_own_sentences(plan, declaration, name):
    setting, _ = plan.OTHERS[name]
    data = plan.snippets_of(setting, 3)
    first = TESTED * len(setting.names)
    assert data.test.inputs.shape[1] == setting.length and data.class_names == setting.names
    for text, label in zip(texts_of(data.test.inputs[:first]), data.test.labels.tolist(), strict=False):
        assert text.startswith(setting.names[label])
    sentences = plan.read_json(plan.SENTENCES)
    for text, label in zip(texts_of(data.test.inputs[first:]), data.test.labels[first:].tolist(), strict=True):
        assert text in " ".join(sentences[setting.names[label]])


def test_what_is_measured_of_each_text_and_language(plan, declaration):
    data = plan.snippets_of(plan.ALL, 0)
    labels, first = data.test.labels, TESTED * 24
    logits = torch.nn.functional.one_hot(labels, 24).float()
    logits[first:] = logits[first:].roll(1, dims=1)  # of its own sentences every one is taken for the next language
    table = pd.DataFrame(plan.by_language(data, logits)).set_index(["text", "language"])
    assert len(table.loc["declaration"]) == 24 and len(table.loc["sentences"]) == 18
    assert set(table.loc["declaration", "accuracy"]) == {1.0} and set(table.loc["sentences", "accuracy"]) == {0.0}
    sure = float(torch.eye(24)[0].softmax(0)[0])
    assert table["confidence"].tolist() == pytest.approx([sure] * 42)
    assert table.loc["sentences", "calibration_error"].tolist() == pytest.approx([sure] * 18, abs=1e-5)


def test_a_difference_crosses_languages_with_replicates(plan):
    values = torch.rand(4, 3, 2, generator=torch.Generator().manual_seed(1))
    rows = [
        {"part": "20 snippets", "strategy": strategy, "text": "declaration", "teacher": "", "replicate": replicate}
        | {"seed": seed, "length": 5, "language": f"language {language}"}
        | {"accuracy": float(values[language, replicate, seed]) + 0.1 * (strategy == plan.SOFT) * language}
        for strategy in (plan.SOFT, plan.TRUTH)
        for language in range(4)
        for replicate in range(3)
        for seed in range(2)
    ]
    found = plan.difference(Comparison(pd.DataFrame(rows)), "20 snippets", plan.SOFT, plan.TRUTH)
    expected = crossed_interval([[10.0 * language] * 3 for language in range(4)])
    assert tuple(found) == pytest.approx(tuple(expected), rel=1e-4)
