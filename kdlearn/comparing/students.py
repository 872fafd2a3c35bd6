"""The students of a comparison, as networks."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import nn

from kdlearn.engine.run import Run
from kdlearn.engine.study import about
from kdlearn.engine.teachers import trained_networks
from kdlearn.training.machine import Machine


@dataclass(frozen=True, eq=False)
class Students:
    """The runs of a comparison, and where they are carried out."""

    runs: Sequence[Run]
    folder: str | Path | None
    machine: Machine

    def network(self, row: Mapping[str, Any]) -> nn.Module:
        """The student of a row of the table, in `eval()` mode."""
        run = next(run for run in self.runs if row["length"] in run.lengths and is_about(row, run))
        shorter = replace(run, lengths=tuple(one for one in run.lengths if one <= row["length"]))
        if self.folder is None:
            warnings.warn("the student is trained again, since compare had no folder to keep it in", stacklevel=3)
        [network] = trained_networks([shorter], self.folder, machine=self.machine)
        return network.eval()


def is_about(row: Mapping[str, Any], run: Run) -> bool:
    return all(row[name] == value or value != value for name, value in about(run).items())
