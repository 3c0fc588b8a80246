"""The fetch itself: page after page, each kept before the next is asked for, until there is a snapshot."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from tuneloop.data.fetching.client import Answer, Client, Refused
from tuneloop.data.fetching.desk import Desk
from tuneloop.data.fetching.shelf import Page, Shelf, Snapshot
from tuneloop.errors import DataError

SAME = 2
"""Rows that a page must have at least to be known again: two pages of one equal row may be by chance."""
AGE = 86_400
"""Seconds after which an unfinished fetch is begun anew: its pages and those to come would not fit together."""

OUTDATED = frozenset({400, 404, 410, 422})
"""Statuses by which a server refuses a cursor that is too old."""


class Script(Protocol):
    """Knows how the pages of one server follow one another."""

    def address(self, place: dict[str, Any]) -> str:
        """The whole address of a page, secrets included."""

    def rows(self, answer: Answer, url: str) -> tuple[list[Any], Any]:
        """The rows of an answer, and what it said besides; raises ``Unsound`` for one that is not sound."""

    def following(self, place: dict[str, Any], rows: list[Any], said: Any, answer: Answer) -> dict[str, Any] | None:
        """Where the next page is; None after the last."""

    @property
    def ends(self) -> frozenset[int]:
        """Statuses that mean: behind the last page."""


@dataclass
class Fetch:
    """One fetch.

    Attributes:
        url: What is asked, without secrets: what people are shown.
        shelf: Where the pages are kept.
        client: Who asks.
        script: How pages follow one another.
        desk: Where the work is done.
        limit: Rows that are wanted at most.
        max_pages: Pages after which something must be wrong.
        expected: The snapshot's SHA-256 that the recipe asks for; None takes any.
    """

    url: str
    shelf: Shelf
    client: Client
    script: Script
    desk: Desk
    limit: int | None
    max_pages: int
    expected: str | None = None

    def run(self) -> Snapshot:
        """Give the snapshot that is there, or fetch it, from where an earlier try was stopped.

        Raises:
            DataError: The server refuses, fails, repeats itself, or gives what is not asked for.
            StoreError: The store cannot be written, or another process fetches the same.
        """
        with self.shelf.held():
            found = None if self.desk.refresh else self.shelf.snapshot()
            if found is None:
                found = self._fetch()
        if self.expected is not None and found.sha256 != self.expected:
            raise DataError(
                f"what was fetched at {found.fetched} has another content: its SHA-256 is {found.sha256}",
                where=self.url,
                fix="write that as sha256 if the new content is wanted; prepare --refresh fetches again",
            )
        return found

    def _fetch(self) -> Snapshot:
        self.desk.progress.start(f"fetching {self.url}: pages")
        kept = self.shelf.pages()
        if kept and self.shelf.age() > AGE:
            self.desk.progress.note(f"{self.url}: the pages of an earlier, unfinished fetch are too old; begun anew")
            kept = []
        if kept:
            self.desk.progress.note(f"{self.url}: {len(kept)} pages are there already; going on behind them")
        else:
            self.shelf.drop_pages()
        try:
            pages = self._pages(kept)
        except Refused as error:
            if not kept or error.status not in OUTDATED or len(self.shelf.pages()) > len(kept):
                raise
            self.desk.progress.note(f"{self.url}: the server no longer knows where it stopped; begun anew")
            self.shelf.drop_pages()
            pages = self._pages([])
        fetched = datetime.now(UTC).isoformat(timespec="seconds")
        made = self.shelf.finish(pages, self.limit, fetched, self.url)
        if not made.rows:
            self.desk.progress.note(f"{self.url}: the server gave no rows")
        return made

    def _pages(self, kept: Sequence[Page]) -> list[Page]:
        pages = list(kept)
        seen = {page.digest: page.number for page in pages if page.rows >= SAME}
        asked = {_key(page.following) for page in pages}
        rows = sum(page.rows for page in pages)
        place = pages[-1].following if pages else {}
        while place is not None and (self.limit is None or rows < self.limit):
            number = len(pages) + 1
            if number > self.max_pages:
                raise DataError(
                    f"there are more than {self.max_pages} pages",
                    where=self.url,
                    fix="raise max_pages if that many are right, or take fewer rows (limit:); the pages are kept",
                )
            page = self._page(number, place)
            if page.digest in seen:
                raise self._again(page, seen[page.digest])
            if page.following is not None and _key(page.following) in asked:
                raise self._again(page, None)
            pages.append(page)
            asked.add(_key(page.following))
            if page.rows >= SAME:
                seen[page.digest] = number
            rows += page.rows
            place = page.following
            self.desk.progress.advance(number)
        return pages

    def _page(self, number: int, place: dict[str, Any]) -> Page:
        url = self.script.address(place)

        def read(answer: Answer) -> tuple[list[Any], dict[str, Any] | None]:
            if answer.status in self.script.ends:
                return [], None
            rows, said = self.script.rows(answer, url)
            return rows, self.script.following(place, rows, said, answer)

        ends = self.script.ends if number > 1 else frozenset()
        rows, following = self.client.get(url, read, ends)
        clean: Callable[[Any], Any] = self.client.secrets.clean
        return self.shelf.keep(number, clean(rows), clean(following))

    def _again(self, page: Page, earlier: int | None) -> DataError:
        """The server goes in a circle; the page that says so is not kept, so that the next try asks for it again."""
        self.shelf.forget(page)
        what = f"holds the same rows as page {earlier}" if earlier else "leads back to a page that was there before"
        return DataError(
            f"page {page.number} {what}: the server goes in a circle",
            where=self.url,
            fix="check how its pages follow one another (next, page or offset; more: where an answer says whether "
            "there are more); the pages before it are kept",
        )


def _key(place: dict[str, Any] | None) -> str:
    return hashlib.sha256(json.dumps(place, sort_keys=True).encode()).hexdigest()
