"""Clusters: machines that share the work on rows in place of processes of this one. A new one is one file."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Protocol, TypeVar

from tuneloop.parts import Part

C = TypeVar("C")
R = TypeVar("R")


class Workers(Protocol):
    """Who shares work: the processes of this machine (:class:`tuneloop.data.parallel.Crew`), or those of a cluster."""

    def map(self, work: Callable[[C], R], chunks: Iterable[C]) -> Iterator[R]:
        """Do the work on every chunk; several calls may be under way, one over the results of another.

        Args:
            work: The work.
            chunks: The chunks; only so many are taken in advance as keep the workers busy.

        Yields:
            The results in the order of the chunks.

        Raises:
            TuneloopError: The work cannot be done on a chunk, or the workers are gone; an exception of the work
                arrives whole.
        """
        ...


class Cluster(Part, ABC):
    """Shares the work on rows among machines; the rows that come out are the same."""

    @abstractmethod
    def open(self) -> AbstractContextManager[Workers]:
        """Connect to it for the time of one preparation.

        Raises:
            MissingPackage: The package that speaks with it is not installed.
            DataError: It cannot be reached.
        """
