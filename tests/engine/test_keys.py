"""A run's key: another for everything that decides the run, the same for everything that does not."""

import importlib.util
import json
import os
import subprocess
import sys
import threading
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from small import STUDENT, TEACHER, Power, Scaled, digits, shapes, taught
from torch import nn

import kdlearn
from kdlearn import (
    Adam,
    EvenlySpread,
    GroundTruth,
    Machine,
    NesterovSGD,
    SoftLabels,
    TruthWhereKnown,
    Views,
    accuracy,
    macro_f1,
    perceptron,
    seeded,
    study,
)
from kdlearn.engine.plan import Plan
from kdlearn.engine.run import Run
from kdlearn.engine.study import UnreadableSource

DATA = digits()
IMAGES = replace(DATA, train=DATA.train._replace(inputs=DATA.train.inputs.view(-1, 1, 8, 8)))
NETWORK = taught()


def key(run: Run, machine: Machine | None = None) -> str:
    return Plan([run], machine or Machine()).keys.of(run)


def run(**options) -> Run:
    options = {"strategy": SoftLabels(2.0), "teacher": NETWORK, "lengths": (5,), **options}
    return Run(options.pop("data", DATA), options.pop("network", STUDENT), **options)


def ask(inputs):
    return NETWORK(inputs)


def test_live_teachers_that_differ_on_one_row_are_two():
    data = kdlearn.load_digits()
    last = data.inputs("train", slice(-1, None)).flatten(1)

    def but_for_the_last(inputs):
        return NETWORK(inputs) + (inputs.flatten(1) == last).all(dim=1, keepdim=True)

    one, other = (key(run(data=data, teacher=teacher, answers="live")) for teacher in (ask, but_for_the_last))
    assert one != other


def within(inner, of=lambda batch: batch):
    class Within(Power):
        name = "within"

        def __call__(self, student_logits, batch):
            return inner(student_logits, of(batch)).expand(len(student_logits))

    return Within(0.8)


def smoothed(smoothing: float):
    loss = nn.CrossEntropyLoss(label_smoothing=smoothing)
    return within(loss, lambda batch: batch.teacher_logits.argmax(dim=-1))


class Buffered(nn.Linear):
    """What it holds beside its weights is not saved with them."""

    def __init__(self, factor: float) -> None:
        super().__init__(64, 10)
        self.register_buffer("factor", torch.tensor(factor), persistent=False)

    def forward(self, inputs):
        return self.factor * super().forward(inputs.flatten(1))


def in_groups(least: int):
    return lambda parameters: torch.optim.SGD([one for one in parameters if one.ndim >= least], lr=0.1)


class Shifted(Views):
    """Views of a reader's own."""

    further = 1


def with_default(weight: float):
    def metric(logits, labels, *, weight=weight):
        return weight * accuracy(logits, labels)

    return metric


def changed(network: nn.Module) -> nn.Module:
    with torch.no_grad():
        network[3].weight[0, 0] += 1e-6
    return network


def normed(eps: float) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.LayerNorm(64, eps=eps), nn.Linear(64, 10))


def frozen() -> nn.Module:
    network = STUDENT()
    network[1].requires_grad_(False)
    return network


class Times(nn.Linear):
    """A plain number decides what it does, and stands in no weight."""

    def __init__(self, factor: float) -> None:
        super().__init__(64, 10)
        self.factor = factor

    def forward(self, inputs):
        return self.factor * super().forward(inputs.flatten(1))


class Rows(nn.Module):
    """A recurrent layer, which holds weak references to its weights."""

    def __init__(self, units: int) -> None:
        super().__init__()
        self.recurrent, self.last = nn.GRU(8, units, batch_first=True), nn.Linear(units, 10)

    def forward(self, inputs):
        return self.last(self.recurrent(inputs.flatten(1, 2))[0][:, -1])


def scored(weight: float):
    def metric(logits, labels):
        return weight * accuracy(logits, labels)

    return metric


def weighted(logits, labels, weight=1.0):
    return weight * accuracy(logits, labels)


class Metric:
    def __init__(self, weight: float) -> None:
        self.weight = weight

    def __call__(self, logits, labels):
        return self.weight * accuracy(logits, labels)


class Tensorial(Power):
    def __init__(self, weights: torch.Tensor) -> None:
        super().__init__(0.8)
        self.weights = weights


def powered(exponent: float) -> type[Power]:
    class Powered(Power):
        exponent_of_class = exponent

    return Powered


DECIDES = {
    "as it is": lambda: run(),
    "data": lambda: run(data=digits(1)),
    "one number of the data": lambda: run(data=nudged(DATA)),
    "seed": lambda: run(seed=1),
    "replicate": lambda: run(replicate=1),
    "network": lambda: run(network=partial(perceptron, 64, 9, 10)),
    "frozen layers": lambda: run(network=frozen),
    "eps of a layer": lambda: run(network=partial(normed, 1e-5)),
    "another eps": lambda: run(network=partial(normed, 1.0000001e-5)),
    "a number of a layer": lambda: run(network=partial(Times, 2.0)),
    "another number": lambda: run(network=partial(Times, 2.0000001)),
    "a buffer": lambda: run(network=partial(Buffered, 1.0)),
    "another buffer": lambda: run(network=partial(Buffered, 2.0)),
    "a teacher's buffer": lambda: run(teacher=seeded(partial(Buffered, 1.0), 3)),
    "another of a teacher's": lambda: run(teacher=seeded(partial(Buffered, 2.0), 3)),
    "a strategy around": lambda: run(strategy=within(SoftLabels(1.0))),
    "another around": lambda: run(strategy=within(SoftLabels(9.0))),
    "a torch loss around": lambda: run(strategy=smoothed(0.1)),
    "its smoothing": lambda: run(strategy=smoothed(0.2)),
    "a recurrent layer": lambda: run(network=partial(Rows, 4)),
    "its units": lambda: run(network=partial(Rows, 5)),
    "first weights": lambda: run(start=seeded(STUDENT, 7).state_dict()),
    "strategy": lambda: run(strategy=EvenlySpread(2.0)),
    "temperature": lambda: run(strategy=SoftLabels(2.0000000000000004)),
    "a strategy within": lambda: run(strategy=TruthWhereKnown(SoftLabels(2.0))),
    "another within": lambda: run(strategy=TruthWhereKnown(EvenlySpread(2.0))),
    "a plain class": lambda: run(strategy=Power(0.8)),
    "its number": lambda: run(strategy=Power(0.8000001)),
    "a subclass": lambda: run(strategy=powered(1.0)(0.8)),
    "an attribute of a class": lambda: run(strategy=powered(2.0)(0.8)),
    "a tensor": lambda: run(strategy=Tensorial(torch.ones(2000))),
    "a number deep in it": lambda: run(strategy=Tensorial(torch.ones(2000).index_fill(0, torch.tensor([900]), 1.0001))),
    "an array": lambda: run(strategy=Tensorial(np.ones(2000))),
    "a dataclass": lambda: run(strategy=Scaled(0.8)),
    "a teacher's weight": lambda: run(teacher=changed(taught())),
    "a callable": lambda: run(teacher=ask),
    "what a callable says": lambda: run(teacher=lambda inputs: NETWORK(inputs) * 1.001),
    "stored logits": lambda: run(teacher=torch.zeros(120, 10)),
    "other stored logits": lambda: run(teacher=torch.full((120, 10), 1e-30)),
    "a run": lambda: run(teacher=Run(DATA, TEACHER, lengths=(5,))),
    "a run's length": lambda: run(teacher=Run(DATA, TEACHER, lengths=(6,))),
    "a run of a run": lambda: run(teacher=run(teacher=Run(DATA, TEACHER, lengths=(5,)))),
    "lengths": lambda: run(lengths=(5, 6)),
    "batch size": lambda: run(batch_size=63),
    "sample": lambda: run(sample=60),
    "views": lambda: run(data=IMAGES, views=Views(pixels=1)),
    "views' seed": lambda: run(data=IMAGES, views=Views(pixels=1, seed=1)),
    "stored answers": lambda: run(answers="float16"),
    "live answers": lambda: run(answers="live"),
    "learning rate": lambda: run(optimizer=Adam(0.4)),
    "a rate close by": lambda: run(optimizer=Adam(0.4000001)),
    "weight decay": lambda: run(optimizer=Adam(0.4, 1e-9)),
    "optimiser": lambda: run(optimizer=NesterovSGD(0.4)),
    "torch's": lambda: run(optimizer=partial(torch.optim.Adam, lr=0.4)),
    "torch's eps": lambda: run(optimizer=partial(torch.optim.Adam, lr=0.4, eps=1e-7)),
    "some weights": lambda: run(optimizer=in_groups(1)),
    "other weights": lambda: run(optimizer=in_groups(2)),
    "views' class": lambda: run(data=IMAGES, views=Shifted(pixels=1)),
    "a keyword's default": lambda: run(metric=with_default(2.0)),
    "another default": lambda: run(metric=with_default(3.0)),
    "metric": lambda: run(metric=macro_f1),
    "an own metric": lambda: run(metric=scored(1.0)),
    "what is around it": lambda: run(metric=scored(2.0)),
    "its keyword": lambda: run(metric=partial(weighted, weight=2.0)),
    "another keyword": lambda: run(metric=partial(weighted, weight=3.0)),
    "a callable metric": lambda: run(metric=Metric(1.0)),
    "its attribute": lambda: run(metric=Metric(2.0)),
    "split": lambda: run(measured_on="validation"),
}


def nudged(data):
    inputs = data.train.inputs.clone()
    inputs[3, 0, 2, 2] += 1e-5
    return replace(data, train=data.train._replace(inputs=inputs))


@pytest.fixture(scope="module")
def keys() -> dict[str, str]:
    return {name: key(make()) for name, make in DECIDES.items()}


def test_all_that_decides_a_run_gives_another_key(keys):
    names = {}
    for name, found in keys.items():
        assert names.setdefault(found, name) == name, f"{name} has the key of {names[found]}"


@pytest.mark.parametrize("name", DECIDES)
def test_the_same_run_made_again_has_the_same_key(keys, name):
    assert key(DECIDES[name]()) == keys[name]


def test_two_processes_find_the_same_keys():
    code = "import json, test_keys as t; print(json.dumps({name: t.key(make()) for name, make in t.DECIDES.items()}))"
    path = os.pathsep.join(map(str, [Path(__file__).parents[2], Path(__file__).parents[1], Path(__file__).parent]))
    printed = []
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": seed}
        found = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
        )
        printed.append(json.loads(found.stdout))
    assert printed[0] == printed[1] and len({*printed[0].values()}) == len(DECIDES)


def test_what_people_call_it_and_whether_weights_are_kept_decide_nothing(keys):
    assert key(run(names={"strategy": "mine"}, keep=True)) == keys["as it is"]
    assert key(run(data=replace(DATA, name="other"))) == keys["as it is"]


def test_the_teacher_decides_nothing_for_who_does_not_ask_it():
    assert key(run(strategy=GroundTruth())) == key(run(strategy=GroundTruth(), teacher=None, answers="float16"))


def test_neighbours_in_a_plan_do_not_change_a_key(keys):
    mine = run(teacher=ask)
    plan = Plan(
        [mine, run(teacher=ask, data=digits(1)), run(teacher=ask, data=IMAGES, views=Views(pixels=1))], Machine()
    )
    assert plan.keys.of(mine) == keys["a callable"]


def test_engine_and_machine_decide(keys, monkeypatch):
    machines = [Machine(threads=3), Machine(autocast=True), Machine(threads=3, compiled=True)]
    found = {key(run(), machine) for machine in machines}
    monkeypatch.setattr(kdlearn, "ENGINE", kdlearn.ENGINE + 1)
    found.add(key(run()))
    assert len({*found, keys["as it is"]}) == 5


# Source

FILES = count()


def module_of(folder, text: str) -> ModuleType:
    """A file that a reader wrote, imported under the same name whatever stands in it."""
    place = folder / str(next(FILES))
    place.mkdir()
    (place / "own.py").write_text(text)
    spec = importlib.util.spec_from_file_location("own", place / "own.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


NET = """
from torch import nn
class Base(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 3)
    def forward(self, inputs):
        return {factor} * self.linear(inputs)
class Net(Base):
    pass
"""
STRATEGY = """
from kdlearn import Strategy
class Shared:
    def power(self):
        return {factor}
class Mine(Shared, Strategy):
    name, reads = "mine", ("teacher_logits",)
    def __call__(self, student_logits, batch):
        return self.power() * (student_logits - batch.teacher_logits).square().mean(dim=-1)
"""
METRIC = """
def score(logits, labels):
    return {factor} * (logits.argmax(1) == labels).double().mean().item()
"""


@pytest.mark.parametrize("text", [NET, STRATEGY, METRIC], ids=["network", "strategy", "metric"])
def test_another_source_gives_another_key_and_the_same_the_same(tmp_path, monkeypatch, text):
    data = shapes(dtype=torch.float32)
    found = []
    for factor in (1.0, 1.0, 2.0):
        module = module_of(tmp_path, text.format(factor=factor))
        monkeypatch.setitem(sys.modules, "own", module)
        made = {
            "network": getattr(module, "Net", partial(perceptron, 4, 5, 3)),
            "strategy": module.Mine() if hasattr(module, "Mine") else SoftLabels(),
            "metric": getattr(module, "score", accuracy),
        }
        found.append(key(Run(data, made["network"], made["strategy"], torch.zeros(40, 3), (5,), metric=made["metric"])))
    assert found[0] == found[1] != found[2]


def test_a_module_whose_file_is_gone_is_not_kept_and_that_is_said(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "own", module_of(tmp_path, METRIC.format(factor=1.0)))
    Path(sys.modules["own"].__file__).unlink()
    with pytest.warns(UnreadableSource, match=r"results are not kept.*own\.py"):
        table = study([run()], tmp_path / "study")
    assert len(table) == 1 and not (tmp_path / "study").exists()


def locked(power: float) -> Power:
    strategy = Power(power)
    strategy.lock = threading.Lock()
    return strategy


def test_what_pickle_refuses_is_not_kept_and_that_is_said(tmp_path):
    runs = [run(strategy=locked(power), names={"which": str(power)}) for power in (0.8, 0.1)]
    with pytest.warns(UnreadableSource, match=r"results are not kept.*_thread\.lock"):
        table = study(runs, tmp_path / "study")
    assert not (tmp_path / "study").exists() and table["loss"].nunique() == 2


AROUND = {  # name: what defines a helper, and what uses it
    "a class": ("class Helper: power = {0}", "Helper.power"),
    "a base": ("class Base: power = {0}\nclass Helper(Base): pass", "Helper().power"),
    "an object": ("from types import SimpleNamespace\nhelper = SimpleNamespace(power={0})", "helper.power"),
    "a partial": ("from functools import partial\nhelper = partial(pow, {0})", "helper(1)"),
    "a layer": ("from torch import nn\nhelper = nn.LeakyReLU({0})", "helper.negative_slope"),
    "a cache": ("from functools import cache\n@cache\ndef helper(): return {0}", "helper()"),
    "a list": ("class Helper: powers = [{0}]", "Helper.powers[0]"),
    "a static method": ("P = {0}\nclass Helper:\n    @staticmethod\n    def power(): return P", "Helper.power()"),
    "a property": ("P = {0}\nclass Helper: power = property(lambda self: P)", "Helper().power"),
    "a keyword": ("def helper(*, power={0}): return power", "helper()"),
    "slots": ("class Helper: __slots__ = ('power',)\nhelper = Helper()\nhelper.power = {0}", "helper.power"),
}


@pytest.mark.parametrize("name", AROUND)
def test_what_a_strategy_looks_up_in_its_file_decides(tmp_path, monkeypatch, name):
    helper, use = AROUND[name]
    mine = STRATEGY.replace("{factor}", use)
    found = []
    for power in (1.0, 1.0, 2.0):
        module = module_of(tmp_path, f"{helper.format(power)}\n{mine}")
        monkeypatch.setitem(sys.modules, "own", module)
        found.append(key(run(strategy=module.Mine())))
    assert found[0] == found[1] != found[2]
