"""What the page on intervals tells in numbers, from studies/intervals."""

from collections.abc import Iterator

import pandas as pd
from records import STUDIES
from tables import table

HELD = ("held over seeds", "held with rows")


def coverage() -> Iterator[str]:
    """How often both intervals held the truth, in %: simulated students, and real ones over their samples."""
    record = pd.read_parquet(STUDIES / "intervals/coverage.parquet")
    kinds = record["students"].str.replace(r" \d+$", "", regex=True).rename("kind")
    means = record.groupby([kinds, "seeds", "rows"], sort=False)[[*HELD]].mean()
    head = ["students", "seeds", "test rows", "over seeds alone, %", "over seeds and rows, %"]
    yield from table(
        head,
        (
            [*map(str, name), *(f"{100 * one:.0f}" for one in held)]
            for name, held in zip(means.index, means.to_numpy(), strict=True)
        ),
    )
