"""Kept: arrays and tokens in a folder, so that every process that shares the work reads the same pages of memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuneloop.data.near.shelf import Shelf
from tuneloop.data.near.signs import Traits

_TOKENS = "tokens.bin"
_STARTS = "starts"


@contextmanager
def room(folder: Path | None) -> Iterator[Path]:
    """A folder within another that is gone when the work is done."""
    with TemporaryDirectory(dir=folder) as made:
        yield Path(made)


def keep(folder: Path, **arrays: NDArray[Any]) -> None:
    """Write arrays into a folder under their names."""
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)


def kept(folder: Path, name: str) -> NDArray[Any]:
    """An array of a folder, read as it is needed."""
    array: NDArray[Any] = np.load(folder / f"{name}.npy", mmap_mode="r")
    return array.view(np.ndarray)


def keep_traits(folder: Path, traits: Traits) -> None:
    """Write traits into a folder."""
    keep(folder, **traits._asdict())


def kept_traits(folder: Path) -> Traits:
    """The traits of a folder."""
    return Traits(*(kept(folder, name) for name in Traits._fields))


def keep_shelf(folder: Path, shelf: Shelf) -> None:
    """Write the tokens of a shelf into a folder."""
    shelf.copy(folder / _TOKENS)
    keep(folder, **{_STARTS: shelf.starts()})


def kept_shelf(folder: Path) -> Shelf:
    """The shelf of a folder."""
    return Shelf.of(folder / _TOKENS, kept(folder, _STARTS))
