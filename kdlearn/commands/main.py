"""The `kdlearn` command: `distill`, `results`, `export`, `doctor`, `examine`, and what other packages add.

What loads torch is imported inside the command that trains, so that the others answer at once.
"""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import kdlearn
from kdlearn.commands import doctor
from kdlearn.commands.messages import UsageError, complain, message_of, reader_is_gone, say

if TYPE_CHECKING:
    from typer import Typer


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command: 0 if it succeeded, else another number and one line on standard error."""
    try:
        code = run(list(sys.argv[1:] if arguments is None else arguments))
        return 0 if reader_is_gone() else code
    except KeyboardInterrupt:
        complain("interrupted; what is complete was kept, the rest was not written")
        return 130
    except UsageError as problem:
        complain(problem)
        return 2
    except Exception as problem:
        if isinstance(problem, BrokenPipeError) and reader_is_gone("\n"):
            return 0
        if (line := message_of(problem)) is None:
            raise
        complain(line)
        return 1


def run(arguments: list[str]) -> int:
    if arguments == ["doctor"]:  # it must run where typer is missing
        doctor.doctor()
        return 0
    import typer
    from typer.main import get_command

    usage_error: Any = typer.BadParameter.__base__  # click's, which newer versions of typer carry within themselves
    try:
        command: Any = get_command(app())
        with command.make_context("kdlearn", arguments) as context:
            command.invoke(context)
    except typer.Exit as end:
        return end.exit_code
    except usage_error as problem:
        program = problem.ctx.command_path if problem.ctx else "kdlearn"
        complain(f"{problem.format_message().rstrip('.')}; {program} --help lists what there is", program)
        return 2
    return 0


def app() -> "Typer":
    """All commands; a file each."""
    from typer import Option, Typer

    from kdlearn.commands import distill, examine, export, results
    from kdlearn.commands.others import Commands

    found = Typer(cls=Commands, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

    @found.callback()
    def root(
        version: Annotated[bool, Option("--version", callback=tell_version, is_eager=True, help="say it")] = False,
    ) -> None:
        """Knowledge distillation, derived, tested and measured."""

    found.command()(distill.distill)
    found.command()(results.results)
    found.command()(export.export)
    found.command()(doctor.doctor)
    found.command()(examine.examine)
    return found


def tell_version(wanted: bool) -> None:
    if wanted:
        from typer import Exit

        say(f"kdlearn {kdlearn.__version__}")
        raise Exit
