"""What can go wrong for a user, said in three facts: what, where, and how to mend it.

Every error that a user can cause is a :class:`TuneloopError`. It never needs a traceback; the
command line prints its three facts and exits with status 2. Anything else is a fault of tuneloop
and keeps its traceback (status 1).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, where it is, and what to write or run instead.

    Example:
        >>> print(Problem("rank is 0", where="recipe.yaml:7 train.adapter.lora.r", fix="give 1 or more"))
        rank is 0
          where: recipe.yaml:7 train.adapter.lora.r
          fix:   give 1 or more
    """

    what: str
    where: str
    fix: str

    def __str__(self) -> str:
        lines = [self.what]
        if self.where:
            lines.append(f"  where: {self.where}")
        lines.append(f"  fix:   {self.fix}")
        return "\n".join(lines)


class TuneloopError(Exception):
    """A mistake that the user can mend; the root of all of tuneloop's own errors.

    Args:
        what: What is wrong, with the value that was met.
        where: File and line, key, record origin or artifact id.
        fix: What to write or run.

    Example:
        >>> raise TuneloopError("no such file", where="data/faq.jsonl", fix="check data.sources")
        Traceback (most recent call last):
        tuneloop.errors.TuneloopError: no such file
          where: data/faq.jsonl
          fix:   check data.sources
    """

    def __init__(self, what: str, *, where: str, fix: str) -> None:
        super().__init__(what)
        self.problems: tuple[Problem, ...] = (Problem(what, where, fix),)

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)


class RecipeError(TuneloopError):
    """The recipe cannot be followed; carries every problem found in it, not only the first."""

    @classmethod
    def of(cls, problems: list[Problem]) -> RecipeError:
        """Gather several problems into one error.

        Args:
            problems: At least one problem.
        """
        first = problems[0]
        error = cls(first.what, where=first.where, fix=first.fix)
        error.problems = tuple(problems)
        return error


class RecordError(TuneloopError):
    """A row cannot become a record; data preparation sets it aside with this reason."""


class DataError(TuneloopError):
    """A source or a dataset as a whole cannot be used (missing, empty, unreadable)."""


class StoreError(TuneloopError):
    """The store cannot give or take an artifact (unknown, damaged, of another kind, disk full)."""


class ModelError(TuneloopError):
    """A base model or tokenizer cannot be loaded or does not fit the task."""


class TrainingError(TuneloopError):
    """A training run cannot start or go on (nothing to learn from, an option that cannot act)."""


class ServeError(TuneloopError):
    """The service cannot start as configured (no keys beyond loopback, port taken)."""


class MissingPackage(TuneloopError):
    """An optional package is not installed."""


class NoAnswer(RecordError):
    """A row was not answered for a reason that may pass (the service is down or busy); another try may succeed."""
