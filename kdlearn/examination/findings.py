"""What can be odd about a loss or a training, by stable names; findings.json says what it does and how to mend it."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ADVICE: dict[str, dict[str, Any]] = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Finding:
    """One oddity: a stable `name`, a `sentence` that says what was seen, and the figure that was `measured`."""

    name: str
    sentence: str
    measured: float

    @property
    def effect(self) -> str:
        """What it does to training."""
        return ADVICE[self.name]["effect"]

    @property
    def remedy(self) -> str:
        """How to mend it."""
        return ADVICE[self.name]["remedy"]

    @property
    def may_be_meant(self) -> bool:
        """Whether somebody may want it so: from values alone, a choice and a slip look the same."""
        return "may_be_meant" in ADVICE[self.name]

    def __str__(self) -> str:
        if self.may_be_meant:
            return f"A note, {self.name}: {self.sentence}. {self.effect}"
        return f"{self.name}: {self.sentence}\n  Effect: {self.effect}\n  Remedy: {self.remedy}"


def in_order(found: Iterable[Finding]) -> tuple[Finding, ...]:
    """Each name once, as it was found first; what may be meant comes last."""
    once: dict[str, Finding] = {}
    for finding in found:
        once.setdefault(finding.name, finding)
    return tuple(sorted(once.values(), key=lambda finding: finding.may_be_meant))
