"""A teacher of other classes: its logits as logits of the student's classes, matched by name."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

from kdlearn.formulas.arguments import check_distributions, check_logits
from kdlearn.formulas.labels import full_precision, logits_from


@dataclass(frozen=True)
class ClassMap:
    """From a teacher's classes to a student's: classes left out, put together, or unknown to the teacher.

    Each class of the teacher goes to the student's class of its own name, or to the one that `merged` names; what goes
    nowhere is left out. Derivation: given that the truth is one of the kept classes K, Bayes' rule gives class k the
    probability p_k / Σ_{j in K} p_j. softmax of the kept logits alone is just that, since the left-out terms of the
    sum cancel. Several classes that become one add their probabilities, so the logit is log Σ e^z of theirs. This is
    exact at temperature 1; a temperature above 1 acts on what was put together, which is not the sum of softened ones.
    A class of the student that no class of the teacher goes to gets the probability `unknown`: nobody has told the
    student anything about it, and its rows need ground truth (`TruthWhereKnown`).

    Args:
        teacher_classes, student_classes: names, in the order of the logits.
        merged: of a class of the teacher the student's class that it becomes a part of.
        unknown: above 0; the probability of each class that the teacher does not know.
        permuted: whether classes that both name may come in another order on both sides. If one list is sorted and the
            other is not, one of the two is often wrong, so this must be said.

    Raises:
        ValueError: names that come twice, that `merged` alone knows, another order, nothing in common, `unknown` that
            leaves no probability.

    >>> to_pets = ClassMap(("cat", "dog", "lorry"), ("cat", "dog"))
    >>> to_pets(torch.tensor([[2.0, 1.0, 5.0]])).softmax(dim=-1)
    tensor([[0.7311, 0.2689]])
    >>> to_pets.kept(torch.tensor([[2.0, 1.0, 5.0]]))  # what the teacher thought of pets at all
    tensor([0.0638])
    """

    teacher_classes: Sequence[str]
    student_classes: Sequence[str]
    merged: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    unknown: float = 1e-6
    permuted: bool = False

    def __post_init__(self) -> None:
        check_class_names("teacher_classes", self.teacher_classes)
        check_class_names("student_classes", self.student_classes)
        self.check_merged()
        if not self.targets:
            way = "merged says which become which"
            raise ValueError(f"teacher_classes and student_classes must have some in common; they have none: {way}")
        if not 0 < self.unknown * max(1, len(self.unknown_classes)) < 1:
            raise ValueError(
                f"unknown must be above 0 and leave probability to other classes than {len(self.unknown_classes)} "
                f"unknown ones; got {self.unknown}"
            )
        self.check_order()

    @property
    def targets(self) -> dict[int, int]:
        """Of each class of the teacher that is kept, by its index, the index of the student's."""
        places = {name: place for place, name in enumerate(self.student_classes)}
        found = {place: self.merged.get(name, name) for place, name in enumerate(self.teacher_classes)}
        return {place: places[name] for place, name in found.items() if name in places}

    @property
    def unknown_classes(self) -> list[str]:
        """The student's classes that the teacher does not know."""
        known = set(self.targets.values())
        return [name for place, name in enumerate(self.student_classes) if place not in known]

    def __call__(self, teacher_logits: Tensor) -> Tensor:
        """Logits of the student's classes, whose softmax has the probabilities described above, without a gradient.

        Args:
            teacher_logits: `(..., C)` of the teacher's classes, before softmax.

        Returns:
            `(..., C)` of the student's classes, logarithms of probabilities; float32 for half precision.
        """
        logits = self.checked(teacher_logits)
        kept = logits[..., list(self.targets)]
        target = torch.tensor([*self.targets.values()], device=logits.device).expand_as(kept)
        shape = (*logits.shape[:-1], len(self.student_classes))
        top = logits.new_full(shape, -torch.inf).scatter_reduce(-1, target, kept, "amax")
        total = logits.new_zeros(shape).scatter_add(-1, target, (kept - top.gather(-1, target)).exp())
        return self.with_unknown((top + total.log()).log_softmax(dim=-1))

    def with_unknown(self, log_probabilities: Tensor) -> Tensor:
        """With their probability for the classes that the teacher does not know, which is taken from the others."""
        count = len(self.unknown_classes)
        if not count:
            return log_probabilities
        share = torch.tensor([1 - count * self.unknown, self.unknown], dtype=torch.float64).log()
        return torch.where(log_probabilities == -torch.inf, share[1].item(), log_probabilities + share[0].item())

    def of_probabilities(self, probabilities: Tensor) -> Tensor:
        """The same of a teacher that gives probabilities `(..., C)`: logits of the student's classes."""
        check_distributions("probabilities", probabilities)
        return self(logits_from(probabilities))

    def kept(self, teacher_logits: Tensor) -> Tensor:
        """The share of the teacher's probability on classes that are kept, `(...)`; the rest is thrown away."""
        probabilities = self.checked(teacher_logits).softmax(dim=-1)
        return probabilities[..., list(self.targets)].sum(dim=-1)

    def of(self, teacher: Callable[[Tensor], Any]) -> Callable[[Tensor], Tensor]:
        """A teacher of the student's classes, for `compare` and `distill`: what the teacher says of inputs, mapped."""
        return lambda inputs: self(teacher(inputs))

    def checked(self, teacher_logits: Tensor) -> Tensor:
        check_logits(teacher_logits=teacher_logits)
        if teacher_logits.shape[-1] != len(self.teacher_classes):
            raise ValueError(
                f"teacher_logits must have one logit for each of {len(self.teacher_classes)} teacher_classes; got "
                f"{tuple(teacher_logits.shape)}"
            )
        return full_precision(teacher_logits.detach())

    def check_merged(self) -> None:
        odd = [name for name in self.merged if name not in self.teacher_classes]
        odd += [name for name in self.merged.values() if name not in self.student_classes]
        if odd:
            raise ValueError(f"merged must lead from teacher_classes to student_classes; {odd[0]!r} is none of them")

    def check_order(self) -> None:
        own = {name: place for place, name in enumerate(self.student_classes)}
        shared = [name for name in self.teacher_classes if name in own]
        places = [own[name] for name in shared]
        if places != sorted(places) and not self.permuted:
            raise ValueError(
                "classes that teacher and student both name must come in one order, unless permuted=True says that "
                f"both lists are in the order of the logits; the teacher's are {', '.join(shared[:10])}, the student's "
                f"{', '.join(sorted(shared, key=own.__getitem__)[:10])}"
            )


def check_class_names(what: str, names: Sequence[str]) -> None:
    if isinstance(names, str) or len(names) < 2 or any(not isinstance(name, str) for name in names):
        raise ValueError(f"{what} must be names of at least two classes, such as data.class_names; got {names!r}")
    twice = [name for place, name in enumerate(names) if name in list(names)[:place]]
    if twice:
        raise ValueError(f"{what} must hold each name once; {twice[0]!r} comes twice")
