"""A JSON API as the recipe describes it: where its rows are, and how its pages follow one another."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit, urlunsplit

from tuneloop.data.fetching.client import Answer, Client, Unsound, origin_of
from tuneloop.data.fetching.desk import Desk, Taken
from tuneloop.data.fetching.fetch import Fetch
from tuneloop.data.fetching.secrets import Secrets, bare, names_secret
from tuneloop.data.fetching.shelf import Shelf
from tuneloop.errors import DataError
from tuneloop.store.digest import of_value

if TYPE_CHECKING:
    from tuneloop.data.readers.http import Http

HOLDERS = ("data", "items", "results", "rows", "records", "entries", "values", "objects", "examples")
"""Keys under which an answer may hold the list of rows."""
MANNERS = ("per_second", "retries", "timeout", "max_pages", "max_mb", "sha256")
"""Options that say how it is asked, not what."""

_LINK = re.compile(r"<([^>]*)>((?:\s*;\s*[^,;]+)*)")


def take(reader: Http, path: str, limit: int | None, desk: Desk) -> Taken:
    """Fetch what a reader describes, or find what was fetched before.

    Args:
        reader: Its options.
        path: The address, as the recipe has it.
        limit: Rows that are wanted at most.
        desk: Where the work is done.

    Raises:
        DataError: The address holds a secret, a secret is not there, or the server gives no rows.
        StoreError: The store cannot be written.
    """
    check(path)
    secrets = Secrets(desk.folder)
    headers = {name: secrets.fill(value, f"headers.{name}") for name, value in reader.headers.items()}
    query = {name: secrets.fill(_written(value), f"query.{name}") for name, value in reader.query.items()}
    options = reader.model_dump(mode="json", exclude=set(MANNERS))
    client = Client(
        origin_of(path),
        headers,
        secrets,
        reader.per_second,
        reader.retries,
        reader.timeout,
        reader.max_mb << 20,
        desk.progress.note,
    )
    shelf = Shelf(desk.store, of_value([path, options, limit]))
    fetch = Fetch(path, shelf, client, Api(reader, path, query, secrets), desk, limit, reader.max_pages, reader.sha256)
    found = fetch.run()
    facts = {"fetched": found.fetched, "pages": found.pages, "rows": found.rows, "sha256": found.sha256}
    return Taken(shelf.folder / found.file, _name(path, reader), facts)


def check(path: str) -> None:
    """Look whether an address can be asked, and holds no secret.

    Raises:
        DataError: It cannot, or it does.
    """
    try:
        parts = urlsplit(path)
        host = parts.hostname
        parts.port  # noqa: B018 - raises for a port that is none
    except ValueError:
        host = None
    if not host:
        raise DataError("the address has no host", where="data.sources", fix="write https://host/path")
    shown = f"{parts.scheme}://{host}{parts.path}"
    if parts.username is not None or parts.password is not None:
        raise DataError(
            "the address holds a user's name or password",
            where=shown,
            fix="take it out, and name the secret: headers: {Authorization: 'Basic env:LOGIN'}",
        )
    written = bare(dict(parse_qsl(parts.query)))
    if written:
        raise DataError(
            f"the address holds a secret in plain sight ({written[0]}), and recipes are kept with every run",
            where=shown,
            fix=f"take it out, and name the secret: query: {{{written[0]}: env:NAME}}",
        )


class Api:
    """The pages of one API.

    Args:
        reader: The recipe's options.
        url: The address.
        query: The query parameters, secrets filled in.
        secrets: Restores what was taken out of a link before it was kept.
    """

    def __init__(self, reader: Http, url: str, query: dict[str, str], secrets: Secrets) -> None:
        self._reader, self._url, self._query, self._secrets = reader, url, query, secrets
        self._again = {name: query[name] for name, value in reader.query.items() if names_secret(str(value))}

    @property
    def ends(self) -> frozenset[int]:
        """Where pages are counted, a server may say 404 for the one behind the last."""
        return frozenset({404}) if self._reader.page is not None else frozenset()

    def address(self, place: dict[str, Any]) -> str:
        """The whole address of a page."""
        if "link" in place:
            link = self._secrets.restore(place["link"]) if self._ours(place["link"]) else place["link"]
            given = dict(parse_qsl(urlsplit(link).query))
            again = {name: value for name, value in self._again.items() if name not in given}
            return _with(link, again) if self._ours(link) else link
        reader, more = self._reader, {}
        if reader.page is not None:
            more[reader.page] = str(place.get("page", reader.first))
        if reader.offset is not None:
            more[reader.offset] = str(place.get("offset", 0))
        if reader.cursor is not None and "cursor" in place:
            more[reader.cursor] = self._secrets.restore(str(place["cursor"]))
        return _with(self._url, {**self._query, **more})

    def rows(self, answer: Answer, url: str) -> tuple[list[Any], Any]:
        """The rows of an answer, and the whole of it."""
        try:
            text = answer.body.decode(answer.headers.get_content_charset() or "utf-8-sig")
            said = json.loads(text.removeprefix("\ufeff"))
        except (LookupError, UnicodeDecodeError):
            raise Unsound("the answer is no text in the encoding that it names") from None
        except (ValueError, RecursionError):
            raise Unsound("the answer is no JSON") from None
        rows = self._found(said)
        if not isinstance(rows, list):
            keys = ", ".join(map(str, list(said)[:12])) if isinstance(said, dict) else ""
            raise DataError(
                f"an answer has no list of rows at {self._reader.items!r}"
                if self._reader.items
                else "an answer is no list of rows, and none in it can be told for one",
                where=self._secrets.clean(url),
                fix=f"say where they stand (items:); the answer has {keys or f'a {type(said).__name__}'}",
            )
        return rows, said

    def following(self, place: dict[str, Any], rows: list[Any], said: Any, answer: Answer) -> dict[str, Any] | None:
        """Where the next page is."""
        reader = self._reader
        if reader.more is not None and _at(said, reader.more) in (None, False, 0, "", "false"):
            return None
        if reader.page is not None:
            return {"page": place.get("page", reader.first) + 1} if rows else None
        if reader.offset is not None:
            return {"offset": place.get("offset", 0) + len(rows)} if rows else None
        link = _link(answer.headers.get_all("Link") or []) if reader.next is None else _at(said, reader.next)
        if link in (None, "", False):
            return None
        if reader.cursor is not None:
            return {"cursor": link}
        if not isinstance(link, str):
            raise DataError(
                f"what stands at {reader.next!r} is no address: a {type(link).__name__}",
                where=self._url,
                fix="name the query parameter that takes it (cursor:)",
            )
        here = self.address(place)
        return {"link": urljoin(here, link)}

    def _found(self, said: Any) -> Any:
        if self._reader.items is not None:
            return _at(said, self._reader.items)
        if isinstance(said, list) or not isinstance(said, dict):
            return said
        lists = [name for name, value in said.items() if isinstance(value, list)]
        holder = next((name for name in HOLDERS if name in lists), lists[0] if len(lists) == 1 else None)
        return None if holder is None else said[holder]

    def _ours(self, link: str) -> bool:
        return origin_of(link) == origin_of(self._url)


def _at(value: Any, path: str) -> Any:
    """What stands at a path of keys and places (``data.-1.id``); None where there is nothing."""
    for step in path.split("."):
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and re.fullmatch(r"-?\d+", step) and -len(value) <= int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value


def _link(headers: list[str]) -> str | None:
    """The address of the next page in ``Link`` headers (RFC 8288)."""
    for link, parameters in _LINK.findall(", ".join(headers)):
        for name, _, value in (each.strip().partition("=") for each in parameters.split(";")):
            if name.lower() == "rel" and "next" in value.strip('" ').lower().split():
                return str(link)
    return None


def _with(url: str, query: dict[str, str]) -> str:
    """An address with query parameters, each in the place of one that it may have of that name."""
    if not query:
        return url
    parts = urlsplit(url)
    kept = [(name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True) if name not in query]
    return urlunsplit(parts._replace(query=urlencode([*kept, *query.items()]), fragment=""))


def _written(value: str | float | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _name(path: str, reader: Http) -> str:
    """What origins call it: the address with what else is asked, secrets by their names."""
    return _with(path, {name: _written(value) for name, value in reader.query.items() if not names_secret(str(value))})
