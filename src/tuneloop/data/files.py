"""From a source's path to the files behind it, in an order that does not depend on the machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tuneloop.data.fetching.desk import Desk
from tuneloop.data.fetching.download import download
from tuneloop.data.hub import HUB, hub
from tuneloop.data.readers import Reader, Remote
from tuneloop.data.section import Source
from tuneloop.errors import DataError
from tuneloop.parts import find, names

_BESIDES = ("readme", "license", "licence", "source", "notice", "changelog", "requirements")
_WORKBOOKS = (".xlsx", ".xls", ".xlsm", ".ods", ".numbers")
_TABLES_OF_OTHERS = ("dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json")


@dataclass(frozen=True)
class File:
    """A file to read rows from.

    Attributes:
        path: Where it is.
        name: What origins call it: its path relative to the recipe's folder, with forward slashes.
        reader: How it is read.
        found: Whether it was found in a folder or by a glob, not named itself.
        licence: The licence that its own description states.
        facts: What else is known of where it comes from; plain values, the same wherever it is fetched.
        fetched: When it was fetched and how much it was; plain values, which decide nothing.
    """

    path: Path
    name: str
    reader: Reader
    found: bool = False
    licence: str = ""
    facts: dict[str, Any] = field(default_factory=dict)
    fetched: dict[str, Any] = field(default_factory=dict)


def files(source: Source, folder: Path, desk: Desk | None = None) -> tuple[list[File], dict[str, str]]:
    """Find the files of a source.

    Args:
        source: The source.
        folder: The recipe's folder.
        desk: What sources that are no files are fetched with; without it they are refused.

    Returns:
        The files in sorted order, and for each file of a folder that holds no rows the reason.

    Raises:
        DataError: There are none, or nothing can read them.
    """
    if source.path.startswith(HUB):
        table = hub(source)
        reader = find(Reader, "arrow")()
        return [File(path, name, reader, False, table.licence, table.facts) for path, name in table.files], {}
    scheme, mark, _ = source.path.partition("://")
    _check_reader(source, scheme if mark else "")
    if source.revision is not None:
        raise DataError(
            "only a Hugging Face dataset has a revision",
            where=source.path,
            fix=f"leave it out, or write {HUB}owner/name",
        )
    if mark:
        return [_fetched(source, scheme, desk)], {}
    place = folder / Path(source.path).expanduser()
    if place.is_dir():
        return _many(source, sorted(_below(place), key=lambda path: path.as_posix()), place, folder)
    if place.exists():
        return [File(place, _name(place, folder, place.parent), source.reader or _reader(place))], {}
    if any(mark in source.path for mark in "*?["):
        root, pattern = _glob(place)
        found = sorted((path for path in root.glob(pattern) if path.is_file()), key=lambda path: path.as_posix())
        return _many(source, found, root, folder)
    raise DataError(f"there is no {source.path!r}", where=str(place), fix=_nearest(place))


def endings() -> dict[str, str]:
    """The reader of each file ending."""
    return {ending: name for name in names(Reader) for ending in find(Reader, name).endings}


def _many(source: Source, found: list[Path], root: Path, folder: Path) -> tuple[list[File], dict[str, str]]:
    chosen: list[File] = []
    aside: dict[str, str] = {}
    for path in found:
        name = _name(path, folder, root.parent)
        reason = _no_data(path)
        if reason and source.reader is None:
            aside[name] = reason
        else:
            chosen.append(File(path, name, source.reader or _reader(path), True))
    if not chosen:
        raise DataError(
            f"no file with rows in {source.path!r}"
            + "".join(f"; {name}: {why}" for name, why in list(aside.items())[:5]),
            where=str(root),
            fix=f"name files ending in {', '.join(sorted(endings()))} (each also with .gz), "
            "or say how they are read (reader)",
        )
    return chosen, aside


def _below(root: Path) -> Iterator[Path]:
    for path in root.rglob("*"):
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(root).parts):
            yield path


def _no_data(path: Path) -> str:
    """Why a file found in a folder is passed over; empty if its rows are wanted."""
    if path.name.lower() in _TABLES_OF_OTHERS:
        return "it describes data sets and holds no rows itself"
    if path.name.lower().split(".")[0] in _BESIDES:
        return "it is about the data"
    if _ending(path) in _WORKBOOKS:
        return "it is a workbook of a spreadsheet: save it as CSV (or Parquet)"
    if _ending(path) not in endings():
        if _ending(path) in (".yaml", ".yml", ".toml"):
            return "it is a configuration and holds no rows"
        return f"no reader takes files ending in {_ending(path) or 'nothing'!s}"
    return ""


def _ending(path: Path) -> str:
    name = path.name.lower().removesuffix(".gz")
    return Path(name).suffix


def _reader(path: Path) -> Reader:
    name = endings().get(_ending(path))
    if _ending(path) in _WORKBOOKS:
        raise DataError(
            f"{path.name!r} is a workbook of a spreadsheet", where=str(path), fix="save it as CSV (or Parquet)"
        )
    if name is None:
        what = (
            "is a configuration and holds no rows"
            if _ending(path) in (".yaml", ".yml", ".toml")
            else "has no known ending"
        )
        raise DataError(
            f"{path.name!r} {what}",
            where=str(path),
            fix=f"say how it is read (reader: {', '.join(names(Reader))}), or name a file ending in "
            + ", ".join(sorted(endings())),
        )
    return find(Reader, name)()


def _name(path: Path, *starts: Path) -> str:
    """The file's name in origins: its path from the first of the folders that it lies below."""
    whole = Path(os.path.abspath(path))  # noqa: PTH100 - links are not followed, so that names stay as written
    for start in starts:
        top = Path(os.path.abspath(start))  # noqa: PTH100
        if whole.is_relative_to(top):
            return whole.relative_to(top).as_posix()
    return path.name


def _glob(place: Path) -> tuple[Path, str]:
    parts = place.parts
    first = next(i for i, part in enumerate(parts) if any(mark in part for mark in "*?["))
    return Path(*parts[:first]), "/".join(parts[first:])


def _nearest(place: Path) -> str:
    import difflib

    beside = [path.name for path in place.parent.iterdir()] if place.parent.is_dir() else []
    close = difflib.get_close_matches(place.name, beside, 1)
    return (
        f"did you mean {close[0]!r}?" if close else "check the path in data.sources; it starts from the recipe's folder"
    )


def _fetched(source: Source, scheme: str, desk: Desk | None) -> File:
    """Take a snapshot of what is no file, or a copy of a file that lies elsewhere."""
    kinds = {name: find(Reader, name) for name in names(Reader)}
    remotes = {each: kind for kind in kinds.values() if issubclass(kind, Remote) for each in kind.schemes}
    if scheme not in remotes:
        known = ", ".join(f"{each}://..." for each in sorted(remotes))
        raise DataError(
            f"nothing reads {scheme}://", where=source.path, fix=f"write a path, {HUB}owner/name, or {known}"
        )
    if desk is None:
        raise DataError("it is fetched only by prepare", where=source.path, fix="name a file, folder or glob")
    reader = source.reader or _of_address(source.path) or remotes[scheme]()
    if isinstance(reader, Remote):
        _check_reader(source, scheme)
        taken = reader.take(source.path, source.limit, desk)
    elif scheme in ("https", "http"):
        taken = download(source.path, desk)
    else:
        raise DataError(f"{reader.name} reads files, not {scheme}://", where=source.path, fix="leave reader: out")
    return File(taken.path, taken.name, reader, fetched=taken.facts)


def _check_reader(source: Source, scheme: str) -> None:
    if isinstance(source.reader, Remote) and scheme not in source.reader.schemes:
        known = " and ".join(f"{each}://" for each in source.reader.schemes)
        raise DataError(f"the reader {source.reader.name} takes {known}", where=source.path, fix="leave reader: out")


def _of_address(address: str) -> Reader | None:
    """The reader of a file that lies elsewhere; JSON is what APIs answer, so it may have further pages."""
    ending = _ending(Path(urlsplit(address).path))
    name = endings().get(ending) if ending != ".json" else None
    return find(Reader, name)() if name else None
