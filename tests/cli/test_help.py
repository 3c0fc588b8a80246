"""Help is quick because it imports nothing heavy, and every command has it."""

import subprocess
import sys

import click
import pytest

from tuneloop.cli import commands

HEAVY = "torch transformers peft pydantic yaml msgspec rich numpy pyarrow fastapi matplotlib"
NAMES = commands.list_commands(click.Context(commands))


def heavy_after(words: list[str]) -> set[str]:
    """The heavy packages that a fresh process has imported after running the command line."""
    code = (
        "import sys\nfrom tuneloop.cli import main\n"
        f"try:\n    main({words!r})\nexcept SystemExit as end:\n    status = end.code\n"
        f"print('\\n@', status, *[name for name in {HEAVY.split()!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "Usage:" in done.stdout
    status, *found = done.stdout.rpartition("@")[2].split()
    assert status == "0"
    return set(found)


def test_the_issue_s_commands_are_all_there() -> None:
    wanted = (
        "new check prepare train watch evaluate export release promote rollback serve chat collect retrain run demo"
    )
    wanted += " runs show lineage doctor estimate explain gc"
    assert set(wanted.split()) <= set(NAMES)


@pytest.mark.parametrize("name", ["", *NAMES])
def test_help_imports_nothing_heavy(name: str) -> None:
    assert heavy_after([*name.split(), "--help"]) == set()


@pytest.mark.parametrize("name", NAMES)
def test_every_command_says_in_one_line_what_it_does(name: str) -> None:
    command = commands.get_command(click.Context(commands), name)
    assert command is not None
    assert len(command.get_short_help_str(64)) > 10
    assert not command.get_short_help_str(64).endswith("...")
    for option in command.params:
        if isinstance(option, click.Option):
            assert option.help, option.name


def test_the_group_lists_every_command_in_a_section() -> None:
    help_text = commands.get_help(click.Context(commands, info_name="tuneloop"))
    assert "More:" not in help_text
    assert all(f"  {name}" in help_text for name in NAMES)
