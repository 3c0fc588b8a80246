"""Exchanges: what was served from a store, with what people said of it, as rows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, final

from pydantic import Field, field_validator

from tuneloop.data.decoding import lines
from tuneloop.data.moments import moment
from tuneloop.data.readers import Raw, Remote
from tuneloop.errors import DataError, RecordError

if TYPE_CHECKING:
    from tuneloop.data.fetching.desk import Desk, Taken
    from tuneloop.rows import Exchange, Feedback

MILLION = 1_000_000


@final
class Exchanges(Remote):
    """Reads ``exchanges.db`` as it is when rows are prepared; a correction takes the place of the answer.

    Answers that were broken off are left out. Whoever asked or judged is no part of the rows; what they wrote is, so
    ``redact`` belongs among the transforms.
    """

    schemes = ("exchanges",)

    release: str | None = None
    """Only answers of this release, model or ref; null takes all."""
    arm: str | None = None
    """Only answers served under this name (``champion``)."""
    since: str | None = Field(None, examples=["2026-03-01"])
    """Only answers of this moment or later (ISO 8601, ``2026-03-01``)."""
    until: str | None = Field(None, examples=["2026-04-01"])
    """Only answers from before this moment."""
    min_rating: int | None = Field(None, ge=-1, le=1)
    """Only answers whose last rating is at least this (1 is good, -1 bad); a correction counts as 1. Null takes unrated
    ones, too."""
    only: Literal["corrected", "judged"] | None = None
    """``corrected``: only answers that a person corrected; ``judged``: only those that a person rated or corrected."""

    @field_validator("since", "until")
    @classmethod
    def _is_moment(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                moment(value)
            except RecordError as error:
                raise ValueError(f"{value!r}: {error.problems[0].what}; {error.problems[0].fix}") from None
        return value

    def take(self, path: str, limit: int | None, desk: Desk) -> Taken:
        """Write the rows into a file that vanishes with the work, so that what is forgotten stays in no copy."""
        from tuneloop.data.fetching.desk import Taken
        from tuneloop.store.exchanges import Exchanges as Database

        place = desk.folder / path.removeprefix("exchanges://") if path != "exchanges://" else None
        place = place or desk.store.root / "exchanges.db"
        if not place.exists():
            raise DataError(
                "nothing was served from here yet",
                where=path,
                fix="serve a model with serve.log: true, or name the file of another store: exchanges://PATH/exchanges.db",
            )
        release = desk.store.resolve(self.release) if self.release is not None else None
        target = desk.drafts / "exchanges.jsonl"
        count = 0
        with Database(place) as database, target.open("w", encoding="ascii") as file:
            for exchange in database.all():
                row = self._row(exchange, database.feedback(exchange.id), release)
                if row is not None and (limit is None or count < limit):
                    file.write(json.dumps(row) + "\n")
                    count += 1
        if not count:
            raise DataError(
                "no served answer is as the source asks",
                where=path,
                fix="widen release, arm, since, until, min_rating or only",
            )
        return Taken(target, "exchange")

    def rows(self, path: Path) -> Iterator[Raw]:
        """Give each answer with its request, by its id."""
        for line in lines(path):
            row = json.loads(line.text)
            yield Raw(line.number, row, place=row.pop("id"))

    def _row(self, exchange: Exchange, said: list[Feedback], release: str | None) -> dict[str, Any] | None:
        if exchange.finish != "stop" or (release is not None and exchange.release != release):
            return None
        if self.arm is not None and exchange.arm != self.arm:
            return None
        if self.since is not None and exchange.time < moment(self.since) / MILLION:
            return None
        if self.until is not None and exchange.time >= moment(self.until) / MILLION:
            return None
        corrected = next((each.value for each in reversed(said) if each.kind == "correction"), None)
        rating = next((each.value for each in reversed(said) if each.kind == "rating"), None)
        if (corrected is None and self.only == "corrected") or (corrected is rating is None and self.only == "judged"):
            return None
        worth = 1 if corrected is not None else rating
        if self.min_rating is not None and (worth is None or worth < self.min_rating):
            return None
        row = {"id": exchange.id, "request": exchange.request, "response": corrected or exchange.response}
        row |= {"time": exchange.time, "release": exchange.release, "arm": exchange.arm}
        row |= {"rating": rating} if rating is not None else {}
        return row | ({"corrected": True} if corrected is not None else {})
