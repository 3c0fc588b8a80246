"""The command line: one file a command, found by its name and imported only when it is asked for.

Help costs nothing: until a command really runs, neither torch nor transformers, pydantic, yaml nor rich
is imported. A user's mistake is printed as what, where and fix (status 2); an interruption says how to go
on (status 130); anything else is a fault of tuneloop and keeps its traceback (status 1).
"""

from __future__ import annotations

import errno
import importlib
import os
import pkgutil
import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from tuneloop.errors import TuneloopError

_SECTIONS = {
    "Begin": ("demo", "new", "check", "explain", "doctor", "estimate"),
    "The whole life": ("run",),
    "Act by act": (
        "prepare",
        "find",
        "train",
        "tune",
        "improve",
        "evaluate",
        "compare",
        "export",
        "release",
        "promote",
        "rollback",
    ),
    "Use and learn on": ("chat", "serve", "collect", "retrain"),
    "Versions": ("data", "push", "pull"),
    "Look": ("watch", "ui", "diagnose", "track", "runs", "show", "lineage", "gc"),
}

_ROOM = "free some space (tuneloop gc removes what no ref reaches), then run the same command again"
_PERMISSION = "give yourself permission to read and write there, then run the same command again"
_DENIED = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), _ROOM),
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), _PERMISSION),
}
"""What the machine, not tuneloop, refuses, and the way out."""


class Commands(click.Group):
    """The commands that stand as files beside this one."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """The names of all commands, in the order of life."""
        files = {module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_")}
        ordered = [name for names in _SECTIONS.values() for name in names if name in files]
        return ordered + sorted(files - set(ordered))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command."""
        if cmd_name not in self.list_commands(ctx):
            return None
        command: click.Command = importlib.import_module(f"{__name__}.{cmd_name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that is asked for, or say which was meant."""
        if args and args[0] not in self.list_commands(ctx) and not args[0].startswith("-"):
            import difflib

            near = difflib.get_close_matches(args[0], self.list_commands(ctx), n=1)
            hint = f"did you mean: tuneloop {near[0]}" if near else "tuneloop --help lists them"
            raise click.UsageError(f"there is no command {args[0]!r}; {hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands in the sections of the help page."""
        left = self.list_commands(ctx)
        width = max(len(name) for name in left)
        sections = {title: [name for name in names if name in left] for title, names in _SECTIONS.items()}
        known = {name for names in sections.values() for name in names}
        sections["More"] = [name for name in left if name not in known]
        for title, names in sections.items():
            if names:
                with formatter.section(title):
                    formatter.write_dl([(name.ljust(width), self._short(ctx, name, formatter)) for name in names])

    def _short(self, ctx: click.Context, name: str, formatter: click.HelpFormatter) -> str:
        command = self.get_command(ctx, name)
        return command.get_short_help_str(formatter.width - 16) if command else ""


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="tuneloop", message="tuneloop %(version)s")
def commands() -> None:
    """One recipe for the whole life of a fine-tuned model.

    Begin with `tuneloop demo`: it tunes the small model that comes with the package, offline, in minutes.
    With rows of your own: `tuneloop new rows.jsonl`, then `tuneloop run rows.yaml`.
    """


def main(args: list[str] | None = None) -> None:
    """Run the command line and leave the process with its status."""
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    sys.exit(execute(args))


def execute(args: list[str] | None = None) -> int:
    """Run the command line.

    Args:
        args: The words after ``tuneloop``; by default those of the process.

    Returns:
        0 done, 1 a fault of tuneloop or a reader that went away, 2 a mistake of the user, 130 interrupted
        (143 when a training was asked to stop by SIGTERM).
    """
    from tuneloop.errors import TuneloopError

    try:
        status = commands.main(args, prog_name="tuneloop", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return 2
    except (click.Abort, KeyboardInterrupt):
        click.echo("\nstopped. What was finished is kept; the same command goes on from there.", err=True)
        return 130
    except TuneloopError as error:
        _tell(error)
        return int(getattr(error, "exit_code", 2))  # a stopped training says 128 + signal
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        if error.errno not in _DENIED:
            raise
        _tell(TuneloopError(f"refused: {error.strerror}", where=str(error.filename or ""), fix=_DENIED[error.errno]))
        return 2
    return status if isinstance(status, int) else 0


def _tell(error: TuneloopError) -> None:
    count = len(error.problems)
    if count > 1:
        click.secho(f"{count} problems:", fg="red", bold=True, err=True)
    for problem in error.problems:
        click.echo(err=True)
        click.secho(problem.what, bold=True, err=True)
        if problem.where:
            click.echo(f"  {click.style('where:', dim=True)} {problem.where}", err=True)
        click.echo(f"  {click.style('fix:', dim=True)}   {problem.fix}", err=True)
