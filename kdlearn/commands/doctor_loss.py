"""`kdlearn doctor --loss module:function`: what a distillation loss computes, and what is odd about it."""

from typing import Annotated, Any

from typer import Exit, Option

from kdlearn.commands import doctor as machine
from kdlearn.commands.messages import UsageError, say


def doctor(
    loss: Annotated[
        str | None,
        Option(metavar="MODULE:FUNCTION", help="your loss: what it computes, and what is odd", show_default=False),
    ] = None,
    sequences: Annotated[bool, Option("--sequences", help="ask the loss about (N, time, C)")] = False,
) -> None:
    """What this machine can run and what it lacks; or what is wrong with a distillation loss (then 1 is returned)."""
    if loss is None and sequences:
        raise UsageError("--sequences is about a loss; name it with --loss module:function")
    if loss is None:
        return machine.doctor()
    from kdlearn.examination.examine import examine

    try:
        report = examine(loss_named(loss), sequences=sequences)
    except (TypeError, ValueError) as problem:
        raise UsageError(f"--loss {loss} cannot be examined: {problem}") from problem
    say(report)
    if any(not finding.may_be_meant for finding in report.findings):
        raise Exit(1)


def loss_named(name: str) -> Any:
    from kdlearn.commands.named import object_named

    found = object_named(name)
    if not callable(found):
        raise UsageError(f"--loss {name} must name a function of two logits; it is {type(found).__name__}")
    return found
