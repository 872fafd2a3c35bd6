"""What a comparison found: a table, and differences with their intervals."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any

import pandas as pd

from kdlearn.comparing.arms import Arm, ArmTable
from kdlearn.comparing.pairing import REPEATED, interval_of, means_of, paired, repetitions_of, values_of
from kdlearn.comparing.printed import html_of, lines_of
from kdlearn.data.files import read_table, write_table
from kdlearn.formulas.intervals import Interval, holm, of_rows

FEW = 5  # replicates; fewer are shown as dots


@dataclass(frozen=True, eq=False)
class Comparison(ArmTable):
    """A row for each run and length, and what can be asked of it.

    Args:
        table: `strategy`, its settings, `teacher`, `replicate`, `seed`, `length`, then what was measured, from the
            column `metric` on.
        metric: the column that differences are about.
        share: whether the metric is a share, which is shown in points.
        baseline: the strategy that others are compared with.
        notes: what a reader needs to know and would not ask.
        scores: of each candidate on validation, where something was chosen.
        students: gives their networks; None where the table alone is there.

    >>> import pandas as pd
    >>> shared = {"replicate": 0, "seed": [0, 1, 2], "length": 300}
    >>> alone = {"strategy": "ground truth", "teacher": "", **shared, "accuracy": [0.80, 0.81, 0.83]}
    >>> taught = {"strategy": "soft labels", "teacher": "mine", **shared, "accuracy": [0.84, 0.86, 0.87]}
    >>> comparison = Comparison(pd.concat([pd.DataFrame(alone), pd.DataFrame(taught)]))
    >>> print(f"{comparison.difference('soft labels'):+.1f}")  # in points, paired by seed
    +4.3 ± 1.4
    """

    share: bool = True
    baseline: str = "ground truth"
    notes: tuple[str, ...] = ()
    scores: pd.DataFrame | None = field(default=None)
    students: Any = field(default=None)

    def difference(self, a: Arm, b: Arm | None = None, *, length: int | None = None, **where: Any) -> Interval:
        """Mean of a - b with its 95 % interval, in points where the metric is a share.

        Pairs share teacher, replicate and seed; where `b` has no teacher, every teacher's `a` is paired with it. The
        interval is over what the claim is about: replicates if there are several, else teachers and seeds as crossed
        factors, else the seeds of this one teacher. Where all runs are measured on the same rows, and the table tells
        which are right, it covers other test rows too.

        Args:
            a, b: the name of a strategy, or columns and their values, such as `{"strategy": "soft labels",
                "temperature": 2.0}`; `b` is `baseline` if it is not said.
            length: number of updates; the longest unless told.
            where: further columns, for both sides where they have them.

        Raises:
            ValueError: a name fits nothing, or several arms, which are told apart.
        """
        pairs = self.differences(a, b, length, where)
        if missing := int(pairs["value"].isna().sum()):
            raise ValueError(
                f"{self.metric} must be a number in every run; in {missing} of {len(pairs)} pairs of {a} and "
                f"{self.baseline if b is None else b} it is NaN. Leave such runs out of the table, and say so, or let "
                "the metric say what 0 / 0 is"
            )
        return interval_of(pairs)

    def each(self, a: Arm, b: Arm | None = None, *, length: int | None = None, **where: Any) -> pd.Series:
        """What `difference` averages: one value a replicate, or teacher, or seed, by which it is indexed.

        A claim about a change is about these: `interval(c.each(a, b, length=3000) - c.each(a, b, length=300))`.
        """
        return means_of(self.differences(a, b, length, where))

    def differences(self, a: Arm, b: Arm | None, length: int | None, where: Mapping[str, Any]) -> pd.DataFrame:
        """One row a pair: teacher, replicate, seed, both values, and `value`, their difference as it is shown."""
        b = self.baseline if b is None else b
        mine, other = (values_of(self.rows_of(arm, length, where), self.metric) for arm in (a, b))
        found = paired(mine, other, self.scale)
        if found.empty:
            raise ValueError(f"{a} and {b} must share replicates and seeds to be paired; they share none")
        return found

    @property
    def scale(self) -> float:
        return 100.0 if self.share else 1.0

    def summary(self, length: int | None = None) -> pd.DataFrame:
        """A plain table for a paper, a row an arm and length: of all lengths, or of one.

        Returns:
            Columns `arm`, `length` and the metric's mean; then, of the difference to `baseline`, the mean `difference`,
            the 95 % interval `low` to `high`, `p`, and `n`, how many replicates, teachers or seeds it is over. In
            points where the metric is a share, to four digits; NaN for the baseline's difference to itself.
            `.to_latex(index=False, float_format="%.3g", na_rep="")` and `.to_csv("table.csv", index=False)` write it.
        """
        lengths = self.lengths if length is None else [length]
        return pd.DataFrame([plain_row(self, row, one) for one in lengths for row in self.arms(one)])

    def student(self, arm: Arm, seed: int = 0, *, length: int | None = None, **where: Any) -> Any:
        """The trained network of an arm and seed, in `eval()` mode.

        It is trained again, from the same first weights in the same order, so that it equals the one in the table but
        for rounding; where `compare` was given a `folder`, once, and its weights are kept there.

        Args:
            arm, length, where: as in `difference`; the arguments must name one student.

        Raises:
            ValueError: they name none or several, or the comparison was read from a file, which holds no networks.
        """
        if self.students is None:
            raise ValueError("only what kdlearn.compare returned can give a student; a file or table holds no network")
        rows = self.rows_of(arm, length, {"seed": seed, **where})
        for name in REPEATED:
            if rows[name].nunique() > 1:
                raise ValueError(
                    f"{name} takes {rows[name].unique().tolist()}: say which, {name}={rows[name].iloc[0]!r}"
                )
        return self.students.network(rows.iloc[0].to_dict())

    def arms(self, length: int | None = None) -> list[dict[str, Any]]:
        """A row an arm: `arm`, `value` and `difference` to `baseline` as intervals, `dots`, and how many of what.

        The dots are the differences of replicates, teachers or seeds.
        """
        length = max(self.lengths) if length is None else length
        arms = dict.fromkeys(self.labels[self.table["length"] == length])
        return [summary_row(self, arm, length) for arm in arms]

    def planned(self, claims: Mapping[str, tuple[Arm, Arm] | Interval], **options: Any) -> pd.DataFrame:
        """Planned differences as one family: interval, p value, and p value corrected by Holm's procedure.

        A claim is a pair of arms, or an interval that was made otherwise, such as that of a change.
        """
        found = {
            name: claim if isinstance(claim, Interval) else self.difference(*claim, **options)
            for name, claim in claims.items()
        }
        corrected = holm({name: one.p_value for name, one in found.items()})
        columns = ["claim", "mean", "low", "high", "p", "holm"]
        rows = [(name, one.mean, one.low, one.high, one.p_value, corrected[name]) for name, one in found.items()]
        return pd.DataFrame(rows, columns=columns)

    def save(self, path: str | Path) -> None:
        """One Parquet file, whole or not there."""
        write_table(Path(path), with_columns_about(self), "comparison")

    @classmethod
    def load(cls, path: str | Path) -> "Comparison":
        """What `save` wrote; a damaged file is a ValueError."""
        return cls(**split_by_columns(read_table(Path(path), "comparison")))

    def __str__(self) -> str:
        return "\n".join(lines_of(self))

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return html_of(self)

    def plot(self, ax: Any = None, *, length: int | None = None) -> Any:
        """Differences to the reference: dots of replicates, teachers or seeds, and the interval; returns the `ax`."""
        from kdlearn.comparing.plot import gains, new_axes

        return gains(self, ax if ax is not None else new_axes(8, 0.9 + 0.45 * len(self.arms(length))), length)

    @property
    def digits(self) -> int:
        return 1 if self.share else 3

    def over(self) -> str:
        """What the intervals cover."""
        return repetitions_of(self.table) + (", and test rows" if of_rows(self.metric) in self.table else "")


def summary_row(comparison: Comparison, arm: str, length: int) -> dict[str, Any]:
    rows = comparison.table[(comparison.labels == arm) & (comparison.table["length"] == length)]
    value = interval_of(values_of(rows, comparison.metric, comparison.scale))
    counts = {f"{name}s": rows[name].nunique() for name in REPEATED}
    pairs = pairs_with_reference(comparison, arm, length)
    difference = None if pairs is None else interval_of(pairs)
    dots = [] if pairs is None else means_of(pairs).tolist()
    return {"arm": arm, "value": value, "difference": difference, "dots": dots, **counts}


def plain_row(comparison: Comparison, row: Mapping[str, Any], length: int) -> dict[str, Any]:
    """Numbers and words alone."""
    gain = row["difference"] or Interval(float("nan"), float("nan"))
    of_gain = {"difference": gain.mean, "low": gain.low, "high": gain.high, "p": gain.p_value}
    numbers = {comparison.metric: row["value"].mean, **of_gain}
    rounded = {name: float(f"{value:.4g}") for name, value in numbers.items()}
    n = next((row[name] for name in ("replicates", "teachers", "seeds") if row[name] > 1), 1)
    return {"arm": row["arm"], "length": length, **rounded, "n": n}


def pairs_with_reference(comparison: Comparison, arm: str, length: int) -> pd.DataFrame | None:
    """None for the reference itself, and where there is no single one."""
    of_baseline = comparison.table["strategy"] == comparison.baseline
    reference = comparison.labels[of_baseline & (comparison.table["length"] == length)].unique()
    if len(reference) != 1 or arm == reference[0]:
        return None
    return comparison.differences(arm, reference[0], length, {})


def with_columns_about(comparison: Comparison) -> pd.DataFrame:
    """The table with columns of what is no table: of one value each, and of scores in the first row alone."""
    scores = "" if comparison.scores is None else comparison.scores.to_json(orient="split", double_precision=15)
    about = {name: getattr(comparison, name) for name in ("metric", "share", "baseline")}
    about |= {"notes": " | ".join(comparison.notes), "scores": [scores, *[""] * (len(comparison.table) - 1)]}
    return comparison.table.assign(**{f"about_{name}": value for name, value in about.items()})


def split_by_columns(table: pd.DataFrame) -> dict[str, Any]:
    """A comparison's arguments of what `with_columns_about` made."""
    about = {name: table.pop(f"about_{name}").iloc[0] for name in ("metric", "share", "baseline", "notes", "scores")}
    as_written: dict[str, Any] = {"orient": "split", "dtype": False, "convert_axes": False}
    scores = pd.read_json(StringIO(about["scores"]), **as_written) if about["scores"] else None
    notes = tuple(filter(None, about["notes"].split(" | ")))
    return {**about, "table": table, "share": bool(about["share"]), "notes": notes, "scores": scores}
