"""The sources of a recipe, opened: their files found and digested, and then read one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tuneloop.data.decoding import guarded
from tuneloop.data.files import File, files
from tuneloop.data.ledger import FileCounts
from tuneloop.data.reading import records
from tuneloop.data.section import DataSection, Source
from tuneloop.errors import DataError, Problem
from tuneloop.monitoring.progress import Progress
from tuneloop.rows import Drop, Record
from tuneloop.store.digest import of_file


class OpenSource:
    """A source with its files and their digests, and the counts of its reading.

    Args:
        source: The source.
        folder: The folder that its path starts from.

    Attributes:
        files: Its files, each with its SHA-256.
        passed_over: Files of a folder that hold no rows, and why.
        counts: What came out of each file read so far.

    Raises:
        DataError: There is no file with rows, or one cannot be read.
    """

    def __init__(self, source: Source, folder: Path) -> None:
        self.source = source
        found, self.passed_over = files(source, folder)
        self.files: list[tuple[File, str]] = []
        for file in found:
            with guarded(file.path):
                self.files.append((file, of_file(file.path)))
        self.counts: list[FileCounts] = []
        self._shown: set[str] = set()

    def records(self, progress: Progress) -> Iterator[Record | Drop]:
        """Every row of every file, up to the source's limit.

        Raises:
            DataError: A file cannot be read, or no format fits its rows; of many files found in a folder such a one
                is only passed over.
        """
        limit = self.source.limit
        for file, digest in self.files:
            left = None if limit is None else limit - sum(counts.read for counts in self.counts)
            if left == 0:
                return
            counts = FileCounts(file.name, digest)
            try:
                yield from self._one(file, counts, left, progress)
            except DataError as error:
                if not file.found or counts.read:
                    raise
                self.passed_over[file.name] = f"it cannot be used: {error.problems[0].what}"
                continue
            self.counts.append(counts)
        if not self.counts:
            raise DataError(
                "no file has rows that can be used: "
                + "; ".join(f"{name}: {why}" for name, why in list(self.passed_over.items())[:5]),
                where=self.source.path,
                fix="name the files with rows in data.sources, or their format: or columns:",
            )

    def _one(self, file: File, counts: FileCounts, limit: int | None, progress: Progress) -> Iterator[Record | Drop]:
        told = False
        for item in records(self.source, file, counts, limit):
            if not told:
                self._tell(counts, progress)
                told = True
            yield item

    def _tell(self, counts: FileCounts, progress: Progress) -> None:
        """Tell the verdict on a file and three of its rows as understood; of many files alike only the first."""
        verdict = counts.verdict
        if verdict is None or (verdict.format.name in self._shown and verdict.fit == verdict.looked):
            return
        self._shown.add(verdict.format.name)
        for line in (f"{counts.name}: {verdict}", *(f"  {sample}" for sample in counts.samples)):
            progress.note(line)

    def report(self) -> dict[str, Any]:
        """What was found, as plain values; no absolute path is among them."""
        return {
            "licence": self.source.licence,
            "files": [counts.report() for counts in self.counts],
            "passed_over": self.passed_over,
        }


def open_sources(section: DataSection, folder: Path) -> list[OpenSource]:
    """Open all sources of a recipe.

    Raises:
        DataError: Something is wrong with some of them; all of it is said at once.
    """
    sources: list[OpenSource] = []
    problems: list[Problem] = []
    for source in section.sources:
        try:
            sources.append(OpenSource(source, folder))
        except DataError as error:
            problems += error.problems
    if problems:
        wrong = DataError(problems[0].what, where=problems[0].where, fix=problems[0].fix)
        wrong.problems = tuple(problems)
        raise wrong
    _distinct(sources)
    return sources


def _distinct(sources: list[OpenSource]) -> None:
    """See to it that no file is read twice, and that no two files go by one name."""
    names: dict[str, Path] = {}
    for source in sources:
        for file, _ in source.files:
            if file.name in names:
                same = names[file.name] == file.path
                raise DataError(
                    "the file is among the sources twice" if same else "two files of the sources have the same name",
                    where=f"{names[file.name]} and {file.path}",
                    fix="name it once" if same else "rename one of them, or name the folder above them as the source",
                )
            names[file.name] = file.path
