"""`kdlearn doctor --loss module:function`: what a distillation loss computes, and what is odd about it."""

from typing import Annotated, Any

from typer import Exit, Option

from kdlearn.commands import doctor as machine
from kdlearn.commands.words import WrongWordsError, say


def doctor(
    loss: Annotated[
        str | None,
        Option(metavar="MODULE:FUNCTION", help="your loss: what it computes, and what is odd", show_default=False),
    ] = None,
    sequences: Annotated[bool, Option("--sequences", help="ask the loss about (N, time, C)")] = False,
) -> None:
    """What this machine can run and what it lacks; or what is wrong with a distillation loss (then 1 is returned)."""
    if loss is None and sequences:
        raise WrongWordsError("--sequences is about a loss; name it with --loss module:function")
    if loss is None:
        return machine.doctor()
    from kdlearn.examination.examine import examine

    try:
        report = examine(loss_named(loss), sequences=sequences)
    except (TypeError, ValueError) as problem:
        raise WrongWordsError(f"--loss {loss} cannot be examined: {problem}") from problem
    say(report)
    if any(not finding.may_be_meant for finding in report.findings):
        raise Exit(1)


def loss_named(name: str) -> Any:
    """The function, the object that can be called, or an object of the class, which a name means."""
    from kdlearn.commands.named import imported

    found = imported(name) if ":" in name else None
    if not callable(found):
        came = f"it is {type(found).__name__}" if ":" in name else "module:function is expected"
        raise WrongWordsError(f"--loss {name} must name a function of two logits; {came}")
    try:
        return found() if isinstance(found, type) else found
    except TypeError as problem:
        raise WrongWordsError(f"--loss {name} is a class that needs arguments: {problem}. Name an object") from None
