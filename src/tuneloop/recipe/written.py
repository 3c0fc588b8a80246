"""A recipe as it was written: plain values, and the line of every key.

YAML is read by the rules of YAML 1.2, so that ``2e-4`` is a number and ``no`` is a word.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tuneloop.errors import Problem, RecipeError

Keys = tuple[str | int, ...]
_DEEPEST, _MOST = 40, 100_000


class Loader(yaml.SafeLoader):
    """Reads YAML with the plain values of YAML 1.2: null, true/false, whole numbers, numbers, text."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - as PyYAML has it


class Dumper(yaml.SafeDumper):
    """Writes YAML that reads back the same by YAML 1.1 and 1.2 alike."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        """Write every value out in full."""
        return True

    def represent_str(self, data: str) -> yaml.ScalarNode:
        """Keep every text on one line: what cannot be printed is escaped."""
        style = None if data.isprintable() else '"'
        return self.represent_scalar("tag:yaml.org,2002:str", data, style=style)


Dumper.add_representer(str, Dumper.represent_str)
_NUMBER = (
    r"[-+]?(?:(?:\.[0-9]+|[0-9]+\.[0-9]*)(?:[eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+|\.(?:inf|Inf|INF))|\.(?:nan|NaN)"
)
_RULES: tuple[tuple[str, str, re.Pattern[str]], ...] = (
    ("null", "~nN\0", re.compile(r"(?:~|null|Null|NULL|)$")),
    ("bool", "tTfF", re.compile(r"(?:true|True|TRUE|false|False|FALSE)$")),
    ("int", "-+0123456789", re.compile(r"[-+]?(?:0|[1-9][0-9]*)$")),
    ("float", "-+.0123456789", re.compile(rf"(?:{_NUMBER})$")),
    ("merge", "<", re.compile(r"<<$")),
)
for _tag, _first, _pattern in _RULES:
    for _class in (Loader, Dumper):
        starts = ["" if letter == "\0" else letter for letter in _first]
        _class.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", _pattern, starts)


@dataclass
class Written:
    """What stands in a recipe, and where.

    Attributes:
        name: The file as errors name it.
        value: The recipe as plain values.
        lines: The line (from 1) of every key and list item, by its keys from the top.
        changed: The change that set a value, by the same keys, as the user wrote it.
        problems: What was wrong with the writing itself (a key given twice).
    """

    name: str
    value: Any = None
    lines: dict[Keys, int] = field(default_factory=dict)
    changed: dict[Keys, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def where(self, keys: Keys) -> str:
        """Say where a key stands: ``recipe.yaml:7 train.batch.size``, or the change that set it."""
        dotted = ".".join(str(key) for key in keys)
        below = next((change for changed, change in self.changed.items() if changed[: len(keys)] == keys), "")
        if keys not in self.lines and below:
            return f"{below} {dotted}" if not below.startswith(f"--set {dotted}=") else below
        for length in range(len(keys), -1, -1):
            if keys[:length] in self.changed:
                change = self.changed[keys[:length]]
                return change if change.startswith(f"--set {dotted}=") else f"{change} {dotted}".rstrip()
            if keys[:length] in self.lines:
                return f"{self.name}:{self.lines[keys[:length]]} {dotted}".rstrip()
        return f"{self.name} {dotted}".rstrip()

    def line(self, keys: Keys) -> int:
        """The line of a key, or of the nearest thing around it."""
        for length in range(len(keys), -1, -1):
            if keys[:length] in self.lines:
                return self.lines[keys[:length]]
        return 0

    def get(self, keys: Keys) -> Any:
        """The plain value at some keys; None where nothing stands."""
        value = self.value
        for key in keys:
            try:
                value = value[key]
            except (KeyError, IndexError, TypeError):
                return None
        return value


def read(path: Path) -> Written:
    """Read a recipe file.

    Raises:
        RecipeError: It is not there, is a folder, is not UTF-8 or not YAML.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        near = sorted(file.name for file in path.parent.glob("*.y*ml")) if path.parent.is_dir() else []
        fix = (
            f"recipes there: {', '.join(near[:5])}" if near else "tuneloop new DATA writes a recipe for a file of rows"
        )
        raise RecipeError("no such recipe", where=str(path), fix=fix) from None
    except IsADirectoryError:
        raise RecipeError("this is a folder, not a recipe", where=str(path), fix="name the YAML file in it") from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise RecipeError(
            f"byte {error.object[error.start]:#04x} is not UTF-8",
            where=f"{path}:{line}",
            fix="save the file as UTF-8, for example: iconv -f gb18030 -t utf-8 old.yaml > new.yaml",
        ) from None
    except OSError as error:
        raise RecipeError(
            f"cannot be read: {error.strerror}", where=str(path), fix="check that you may read the file"
        ) from None
    return parse(text, str(path))


def parse(text: str, name: str) -> Written:
    """Read the text of a recipe.

    Args:
        text: YAML.
        name: How errors name it.

    Raises:
        RecipeError: It is not YAML.
    """
    written = Written(name)
    try:
        loader = Loader(text)
        node = loader.get_single_node()
        if node is not None:
            written.lines[()] = node.start_mark.line + 1
            written.value = _plain(loader, node, (), written)
    except yaml.MarkedYAMLError as error:
        raise _syntax(error, text, name) from None
    except yaml.reader.ReaderError as error:
        line = text[: error.position].count("\n") + 1
        raise RecipeError(
            f"character {error.character!r} may not stand in YAML", where=f"{name}:{line}", fix="delete it"
        ) from None
    return written


def of_mapping(value: Mapping[str, Any], name: str = "recipe") -> Written:
    """Take a recipe that was made in Python."""
    return Written(name, _copy(value))


def flow(value: Any) -> str:
    """Write a plain value as YAML on one line.

    Example:
        >>> flow({"r": 8, "target_modules": ["q_proj", "yes"]})
        "{r: 8, target_modules: [q_proj, 'yes']}"
    """
    text: str = yaml.dump(
        value, Dumper=Dumper, default_flow_style=True, allow_unicode=True, sort_keys=False, width=float("inf")
    )
    return text.removesuffix("...\n").rstrip("\n")


def _copy(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _copy(inner) for key, inner in value.items()}
    return [_copy(inner) for inner in value] if isinstance(value, list | tuple) else value


def _plain(loader: Loader, node: yaml.Node, keys: Keys, written: Written) -> Any:
    if len(keys) > _DEEPEST or len(written.lines) > _MOST:
        where = f"{written.name}:{node.start_mark.line + 1}"
        raise RecipeError("the recipe repeats itself without end", where=where, fix="remove the alias (*name) there")
    if isinstance(node, yaml.SequenceNode):
        values = []
        for index, item in enumerate(node.value):
            written.lines[(*keys, index)] = item.start_mark.line + 1
            values.append(_plain(loader, item, (*keys, index), written))
        return values
    if not isinstance(node, yaml.MappingNode):
        return loader.construct_object(node)
    merged: dict[Hashable, Any] = {}
    own: dict[Hashable, Any] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        if key_node.tag.endswith(":merge"):
            merged |= _merged(loader, value_node, keys, written)
            continue
        if not isinstance(key_node, yaml.ScalarNode):
            where = f"{written.name}:{line}"
            written.problems.append(Problem("a key must be a word, not a list or block", where, "write `key: value`"))
            continue
        key = str(key_node.value)
        below = (*keys, key)
        if key in own:
            first = written.lines[below]
            where = f"{written.name}:{line} {'.'.join(str(part) for part in below)}"
            fix = f"keep one of them: it stands on line {first} too"
            written.problems.append(Problem(f"{key!r} is given twice", where, fix))
            continue
        written.lines[below] = line
        own[key] = _plain(loader, value_node, below, written)
    return merged | own


def _merged(loader: Loader, node: yaml.Node, keys: Keys, written: Written) -> dict[Hashable, Any]:
    nodes = node.value if isinstance(node, yaml.SequenceNode) else [node]
    values = [_plain(loader, each, keys, written) for each in reversed(nodes)]
    return {key: value for block in values if isinstance(block, dict) for key, value in block.items()}


def _syntax(error: yaml.MarkedYAMLError, text: str, name: str) -> RecipeError:
    mark = error.problem_mark or error.context_mark
    line = mark.line + 1 if mark else 1
    lines = text.splitlines()
    shown = lines[line - 1].strip() if line <= len(lines) else ""
    what, fix = f"not YAML: {error.problem or error}", "check indentation, colons and quotes there"
    if "\t" in (lines[line - 1] if line <= len(lines) else "")[: (mark.column if mark else 0) + 1]:
        what, fix = "a tab is used for indentation", "indent with spaces, two a level"
    elif "single document" in str(error.context or error.problem):
        what, fix = "the file holds more than one YAML document", "keep one recipe a file: remove the line `---`"
    elif "undefined alias" in str(error.problem):
        fix = "define the anchor (&name) before it is used, or quote a text that begins with *"
    elif "mapping values are not allowed" in str(error.problem):
        fix = "a text with a colon needs quotes; otherwise check the indentation of this line and the one above"
    elif "could not determine a constructor" in str(error.problem):
        fix = "remove the tag (the word that begins with !): a recipe holds plain values only"
    if shown:
        what = f"{what} at: {shown[:60]}"
    return RecipeError(what, where=f"{name}:{line}", fix=fix)
