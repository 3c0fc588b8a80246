"""Foresight: what of a recipe's data section cannot work on this machine, seen without opening anything."""

from __future__ import annotations

from collections.abc import Iterator
from glob import glob
from importlib import metadata
from pathlib import Path

from tuneloop.data.augmenters import Augmenter
from tuneloop.data.hub import HUB
from tuneloop.data.section import DataSection
from tuneloop.data.transforms import Place, Transform
from tuneloop.errors import DataError, Problem
from tuneloop.parts import install


def foresee(section: DataSection, folder: Path) -> list[Problem]:
    """Find sources, files that transforms and augmenters read, and packages that are not there.

    Args:
        section: The recipe's data section.
        folder: The folder that its relative paths start from.

    Returns:
        Every problem, in the order of the section.
    """
    return [*_sources(section, folder), *_read(section, folder), *_packages(section)]


def _sources(section: DataSection, folder: Path) -> Iterator[Problem]:
    for index, source in enumerate(section.sources):
        where = f"data.sources.{index}.path"
        if source.path.startswith(HUB):
            if not _installed("datasets"):
                yield Problem("Hugging Face datasets need the package 'datasets'", where, install("datasets"))
        elif "://" not in source.path and not glob(str(folder / Path(source.path).expanduser()), recursive=True):  # noqa: PTH207
            fix = "give a file, folder or glob relative to the recipe, or hf://owner/name"
            yield Problem(f"there are no rows at {source.path}", f"{where}, looked for in {folder.absolute()}", fix)


def _read(section: DataSection, folder: Path) -> Iterator[Problem]:
    """Files that are not there, of those that decide what becomes of the rows."""
    parts: list[Transform | Augmenter] = [*section.transforms, *section.varied_by]
    for part in parts:
        try:
            wanted = part.at(Place(folder)).reads()
        except DataError as error:
            for problem in error.problems:
                yield Problem(problem.what, f"{part.name}: {problem.where}", problem.fix)
            continue
        for path in wanted:
            if not (folder / Path(path).expanduser()).exists():
                fix = f"give a path relative to the recipe, which is in {folder.absolute()}"
                yield Problem(f"{part.name} reads {path}, which is not there", part.name, fix)


def _packages(section: DataSection) -> Iterator[Problem]:
    for transform in section.transforms:
        for package in transform.packages():
            if not _installed(package):
                yield Problem(f"{transform.name} needs the package {package!r}", transform.name, install(package))


def _installed(package: str) -> bool:
    try:
        metadata.distribution(package)
    except metadata.PackageNotFoundError:
        return False
    return True
