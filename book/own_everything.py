"""Own network, own data, own strategy, a random forest for a teacher: does distillation help here?

python book/own_everything.py
"""

import torch
from sklearn.datasets import make_moons
from sklearn.ensemble import RandomForestClassifier
from torch import nn

import kdlearn


class Wave(nn.Module):
    """A network of our own: one hidden layer of sines."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden, self.out = nn.Linear(2, 8), nn.Linear(8, 2)

    def forward(self, inputs):
        return self.out(torch.sin(self.hidden(inputs)))


class AbsoluteDistance(kdlearn.Strategy):
    """A loss of our own: how far the probabilities lie apart, class by class."""

    name = "absolute distance"
    reads = ("teacher_logits",)

    def __call__(self, student_logits, batch):
        return (student_logits.softmax(-1) - batch.teacher_logits.softmax(-1)).abs().sum(dim=-1)


inputs, labels = make_moons(2600, noise=0.3, random_state=0)
few, many, test = slice(0, 40), slice(0, 600), slice(600, None)
forest = RandomForestClassifier(min_samples_leaf=5, random_state=0).fit(inputs[many], labels[many])
comparison = kdlearn.compare(
    Wave,
    [AbsoluteDistance(), kdlearn.TeachersHardLabels(), kdlearn.SoftLabels(1.0)],
    {"train": (inputs[few], labels[few]), "test": (inputs[test], labels[test])},
    teacher=forest,
    lengths=(300, 1000),
    batch_size=20,
)
print(comparison)
hard = kdlearn.TeachersHardLabels.name
print("soft - hard:", f"{comparison.difference('soft labels', hard):+.1f} points")
