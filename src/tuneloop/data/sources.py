"""The sources of a recipe, opened: their files found and digested, and then read one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from tuneloop.data.augmenters import Augmenter
from tuneloop.data.decoding import guarded
from tuneloop.data.fetching.desk import Desk
from tuneloop.data.files import File, files
from tuneloop.data.hiding import Hider
from tuneloop.data.ledger import FileCounts
from tuneloop.data.reading import Chunk, chunks
from tuneloop.data.section import DataSection, Source
from tuneloop.data.transforms import Place, Transform
from tuneloop.errors import DataError, Problem
from tuneloop.monitoring.progress import Progress
from tuneloop.store.digest import of_file, of_folder, of_value


class OpenSource:
    """A source with its files and their digests, and the counts of its reading.

    Args:
        source: The source.
        folder: The folder that its path starts from.
        desk: What sources that are no files are fetched with.

    Attributes:
        source: The source, with the licence that its own description states where the recipe states none.
        files: Its files, each with its SHA-256.
        passed_over: Files of a folder that hold no rows, and why.
        counts: What came out of each file read so far.

    Raises:
        DataError: There is no file with rows, or one cannot be read.
    """

    def __init__(self, source: Source, folder: Path, desk: Desk | None = None) -> None:
        found, self.passed_over = files(source, folder, desk)
        licence = source.licence or next((file.licence for file in found if file.licence), "")
        self.source = source.model_copy(update={"licence": licence})
        self.files: list[tuple[File, str]] = []
        for file in found:
            with guarded(file.path):
                self.files.append((file, file.reader.digest(file.path)))
        self.counts: list[FileCounts] = []
        self._shown: set[str] = set()

    def chunks(self, progress: Progress, hider: Hider) -> Iterator[Chunk]:
        """The rows of every file, up to the source's limit, in chunks.

        Raises:
            DataError: A file cannot be read, or no format fits its rows; of many files found in a folder such a one
                is only passed over.
        """
        left = self.source.limit
        for file, digest in self.files:
            if left == 0:
                return
            counts = FileCounts(file.name, digest)
            try:
                for chunk in chunks(self.source, file, counts, left, hider):
                    if counts not in self.counts:
                        self.counts.append(counts)
                        self._tell(counts, progress)
                    if left is not None:
                        left -= len(chunk.rows)  # with a limit, rows come one by one, not in blocks
                    yield chunk
            except DataError as error:
                if not file.found or counts.verdict is not None:
                    raise
                self.passed_over[file.name] = f"it cannot be used: {error.problems[0].what}"
        if not self.counts:
            raise DataError(
                "no file has rows that can be used: "
                + "; ".join(f"{name}: {why}" for name, why in list(self.passed_over.items())[:5]),
                where=self.source.path,
                fix="name the files with rows in data.sources, or their format: or columns:",
            )

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
        about = {name: value for name, value in self.source.about.model_dump().items() if value}
        facts = next((file.facts for file, _ in self.files if file.facts), {})
        return {
            "licence": self.source.licence,
            **({"about": about} if about else {}),
            **facts,
            "files": [counts.report() for counts in self.counts],
            "passed_over": self.passed_over,
        }


def open_sources(
    section: DataSection, folder: Path, desk: Desk | None = None
) -> tuple[list[OpenSource], dict[str, str]]:
    """Open all sources of a recipe, and digest what else its transforms read.

    Args:
        section: The recipe's data section.
        folder: The recipe's folder.
        desk: What sources that are no files are fetched with.

    Returns:
        The sources, and the SHA-256 of each file that decides what a transform does, by its path in the recipe.

    Raises:
        DataError: Something is wrong with some of them; all of it is said at once.
    """
    sources: list[OpenSource] = []
    read: dict[str, str] = {}
    problems: list[Problem] = []
    for source in section.sources:
        try:
            sources.append(OpenSource(source, folder, desk))
        except DataError as error:
            problems += error.problems
    parts: list[Transform | Augmenter] = [*section.transforms, *section.varied_by]
    for transform in parts:
        wanted: tuple[str, ...] = ()
        try:
            wanted = transform.at(Place(folder)).reads()
        except DataError as error:
            problems += [replace(problem, where=f"{transform.name}: {problem.where}") for problem in error.problems]
        for path in wanted:
            try:
                read[path] = digest_read(path, folder)
            except DataError as error:
                problems += [replace(problem, where=f"{transform.name}: {path}") for problem in error.problems]
    if problems:
        wrong = DataError(problems[0].what, where=problems[0].where, fix=problems[0].fix)
        wrong.problems = tuple(problems)
        raise wrong
    _distinct(sources)
    return sources, read


def digest_read(path: str, folder: Path) -> str:
    """Digest a file, or all files below a folder, that a transform reads.

    Args:
        path: Its path, relative to the recipe.
        folder: The recipe's folder.

    Raises:
        DataError: It cannot be read.
    """
    place = folder / Path(path).expanduser()
    with guarded(place):
        if place.is_dir():
            return of_value({name: entry.sha256 for name, entry in of_folder(place).items()})
        return of_file(place)


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
