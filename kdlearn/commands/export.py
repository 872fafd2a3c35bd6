"""`kdlearn export`: the weights of one student of a folder that distill has written."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from kdlearn.commands.folders import path
from kdlearn.commands.messages import UsageError, say
from kdlearn.commands.results import comparison_in


def export(
    folder: Annotated[Path, Argument(parser=path, metavar="FOLDER", help="that distill has written")],
    strategy: Annotated[str, Option(metavar="NAME", help="as for distill, or as results names it")],
    out: Annotated[Path, Option(parser=path, metavar="FILE", help="for the weights, as safetensors")],
    seed: Annotated[int, Option(min=0, metavar="N", help="of the student")] = 0,
) -> None:
    """The weights of one student, as a safetensors file that any program reads."""
    comparison = comparison_in(folder)
    if out.exists():
        raise UsageError(f"--out {out} is there already: name another file")
    from kdlearn.data.files import write_tensors
    from kdlearn.networks.weights import load_weights
    from kdlearn.training.strategies import strategies_by_cli_name

    ours = strategies_by_cli_name()
    rows = comparison.rows_of(ours[strategy].name if strategy in ours else strategy, None, {"seed": seed})
    row = rows.iloc[0]
    if len(rows) > 1 or not row.get("weights"):
        raise ValueError(f"{folder} must hold one student of {strategy} and seed {seed}, with weights; see its table")
    student = load_weights(folder / row["weights"])
    told = {name: str(row[name]) for name in ("student", "strategy", "seed", comparison.metric) if name in row}
    write_tensors(out, student, told)
    say(f"{out}: " + ", ".join(f"{name} {value}" for name, value in told.items()))
