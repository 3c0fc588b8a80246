"""Where a subject's rows stand in the source files as they are now, which may have changed since they were prepared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tuneloop.data.files import File, files
from tuneloop.data.forgetting.wanted import Wanted
from tuneloop.data.hiding import Hider
from tuneloop.data.ledger import FileCounts
from tuneloop.data.reading import chunks
from tuneloop.data.section import Source
from tuneloop.errors import DataError
from tuneloop.rows import Drop, Record
from tuneloop.rows.record import source_of
from tuneloop.store.mentions import unescaped
from tuneloop.store.subject import words


def standing(
    origins: Mapping[str, set[str]], subject: Wanted, folders: Sequence[Path]
) -> tuple[list[str], dict[str, str]]:
    """Find the lines that hold a subject now.

    A file that is as it was holds the rows where they were read. Any other is read again, all of it: only lines that
    hold the subject now are named.

    Args:
        origins: Where the rows were read, each with the SHA-256 that its file had.
        subject: Whose rows they are.
        folders: Where the files may be: the recipe's folder and the like.

    Returns:
        The lines (``file:line``), and what is to be said of each file whose lines cannot be named.
    """
    lines: list[str] = []
    unsure: dict[str, str] = {}
    for name in sorted({source_of(origin) for origin in origins if not origin.startswith("exchange:")}):
        here = [origin for origin in origins if source_of(origin) == name]
        path = next((folder / name for folder in folders if (folder / name).is_file()), None)
        if path is None:
            unsure[name] = f"{len(here)} rows were read from it; it is not here, so look for them there"
            continue
        try:
            file = files(Source(path=str(path.absolute())), path.parent)[0][0]
            digest = file.reader.digest(path)
            sure = [origin for origin in here if digest in origins[origin]]
            others = len(sure) < len(here)
            found = sorted({*sure, *_holding(file, name, digest, subject)}) if others else sure
        except DataError as error:
            unsure[name] = f"{len(here)} rows were read from it; now it cannot be: {error.problems[0].what}"
            continue
        lines += found
        if not found:
            unsure[name] = f"{len(here)} rows were read from it; the file has changed since, and no line holds them now"
        elif others and (gone := len(set(here) - set(found))):
            unsure[name] = f"the file has changed since: {gone} of the lines that were read no longer hold them"
    return sorted(lines, key=_place), unsure


def _holding(file: File, name: str, digest: str, subject: Wanted) -> Iterator[str]:
    """The origins of the rows of a file that hold the subject, by the name the file has in the recipe."""
    counts = FileCounts(name, digest)
    try:
        for chunk in chunks(Source(path=file.name), file, counts):
            for item in chunk.items(counts, Hider()):
                if _holds(item, subject, digest):
                    yield item.origin.replace(file.name, name, 1)
    except DataError:
        if counts.read:
            raise
        mark = ":" if file.reader.counts == "lines" else "#"
        for raw in file.reader.rows(file.path):
            if raw.row and subject.search.text(words(raw.row)):
                yield f"{name}{mark}{raw.place or raw.line}"


def _holds(item: Record | Drop, subject: Wanted, digest: str) -> bool:
    if isinstance(item, Record):
        return subject.search.record(item, digest)
    return subject.search.text(unescaped(item.detail))


def _place(origin: str) -> tuple[str, int, str]:
    name = source_of(origin)
    digits = "".join(filter(str.isdigit, origin.removeprefix(name)))
    return name, int(digits or 0), origin
