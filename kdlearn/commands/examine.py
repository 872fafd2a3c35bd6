"""`kdlearn examine module:function`: what a distillation loss computes, and what is odd about it."""

from typing import Annotated

from typer import Argument, Exit, Option

from kdlearn.commands.messages import UsageError, say


def examine(
    loss: Annotated[str, Argument(metavar="MODULE:FUNCTION", help="your loss", show_default=False)],
    sequences: Annotated[bool, Option("--sequences", help="ask the loss about (N, time, C)")] = False,
) -> None:
    """What a distillation loss computes, and what is odd about it; 1 is returned for what is wrong alone."""
    from kdlearn.commands.named import object_named
    from kdlearn.examination import examine as examination

    try:
        report = examination.examine(object_named(loss), sequences=sequences)
    except (TypeError, ValueError) as problem:
        raise UsageError(f"{loss} cannot be examined: {problem}") from problem
    say(report)
    if any(not finding.may_be_meant for finding in report.findings):
        raise Exit(1)
