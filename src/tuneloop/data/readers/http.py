"""HTTP: the rows of a JSON API, page by page, as a snapshot that is fetched once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, final

from pydantic import Field, model_validator

from tuneloop.data.decoding import lines
from tuneloop.data.fetching.secrets import bare
from tuneloop.data.readers import Raw, Remote

if TYPE_CHECKING:
    from tuneloop.data.fetching.desk import Desk, Taken


@final
class Http(Remote):
    """Asks an address for its pages, keeps each at once, and reads the finished snapshot, also without a network.

    Without ``next``, ``page`` or ``offset`` the ``Link`` header of the answers is followed, where they have one.
    """

    counts = "rows"
    schemes = ("https", "http")

    items: str | None = None
    """Where the rows stand in an answer (``result.rows``); null takes the answer itself, or the one list in it."""
    next: str | None = None
    """Where an answer gives the address or cursor of the next page (``links.next``, ``rows.-1.id``)."""
    cursor: str | None = Field(None, json_schema_extra={"beside": {"next": "meta.cursor"}})
    """The query parameter that takes what stands at ``next``; null where that is a whole address."""
    page: str | None = None
    """The query parameter that counts pages."""
    first: int = 1
    """The number of the first page."""
    offset: str | None = None
    """The query parameter that counts the rows to pass over."""
    more: str | None = None
    """Where an answer says whether there are more pages (``has_more``)."""
    query: dict[str, str | int | float | bool] = Field(default_factory=dict)
    """More query parameters (``{limit: 100, status: closed}``); a secret by its name: ``{api_key: env:SHOP_KEY}``."""
    headers: dict[str, str] = Field(default_factory=dict)
    """Headers; a secret is named, never written: ``{Authorization: Bearer env:API_TOKEN}`` or ``file:token.txt``."""
    per_second: float = Field(2, gt=0)
    """Most requests a second."""
    retries: int = Field(5, ge=0)
    """How often a request is tried again after 429, 5xx or no answer, each time after a longer wait."""
    timeout: float = Field(30, gt=0)
    """Seconds that one request may take."""
    max_pages: int = Field(10_000, ge=1)
    """Pages after which something must be wrong."""
    max_mb: int = Field(64, ge=1)
    """Most MiB of one answer."""
    sha256: str | None = Field(None, pattern="^[0-9a-f]{64}$", examples=["0" * 64])
    """The SHA-256 that the snapshot must have; null takes what the server gives."""

    @model_validator(mode="after")
    def _fits(self) -> Http:
        if sum(style is not None for style in (self.next, self.page, self.offset)) > 1:
            raise ValueError("pages follow one another in one way: give next, page or offset")
        if self.cursor is not None and self.next is None:
            raise ValueError("cursor takes what stands at next: give next, too")
        written = bare(self.headers) + bare({name: str(value) for name, value in self.query.items()})
        if written:
            raise ValueError(
                f"{written[0]} holds a secret in plain sight, and recipes are kept with every run; "
                "name it instead: env:NAME or file:PATH"
            )
        return self

    def take(self, path: str, limit: int | None, desk: Desk) -> Taken:
        """Fetch the snapshot, or find it."""
        from tuneloop.data.fetching.api import take

        return take(self, path, limit, desk)

    def rows(self, path: Path) -> Iterator[Raw]:
        """Give each row of a snapshot, by its page and its place there."""
        for line in lines(path):
            kept = json.loads(line.text)
            row, place = kept["item"], f"{kept['page']}:{kept['row']}"
            if isinstance(row, dict):
                yield Raw(line.number, row, place=place)
            else:
                what = f"a row must be a JSON object, this is a {type(row).__name__}"
                yield Raw(line.number, None, what, place=place)
