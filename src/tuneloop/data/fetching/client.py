"""A client that waits its turn: so many requests a second, again after what passes, never a secret to a stranger."""

from __future__ import annotations

import email.utils
import http.client
import random
import ssl
import time
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.message import Message
from typing import Any
from urllib.parse import urlsplit

from tuneloop.data.fetching.secrets import Secrets
from tuneloop.errors import DataError

PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses after which the same request may succeed."""
FIRST_WAIT, LONGEST_WAIT = 0.5, 60.0
"""Seconds before the second try, and most seconds before any."""
PATIENCE = 300.0
"""Seconds that a server may ask to be left alone (Retry-After); who asks for more is asked again another day."""
PIECE = 1 << 16


class Unsound(Exception):
    """An answer that was cut off or is not what it says it is."""


class Refused(DataError):
    """The server says no for good; ``status`` is its HTTP status."""

    status = 0


@dataclass(frozen=True)
class Answer:
    """What a server said.

    Attributes:
        status: The HTTP status; 200, or one that the caller said it would take.
        body: The body, unpacked.
        headers: The headers.
    """

    status: int
    body: bytes
    headers: Message


@dataclass
class Client:
    """Asks one server, politely.

    Attributes:
        origin: Scheme, host and port that the headers are for; others never get them.
        headers: Sent with every request to that origin.
        secrets: Taken out of every message.
        per_second: Most requests a second.
        retries: How often a request is tried again.
        timeout: Seconds that one request may take.
        largest: Most bytes of an answer.
        note: Takes what a person should know.
        sleep: Waits some seconds.
    """

    origin: str
    headers: Mapping[str, str]
    secrets: Secrets
    per_second: float
    retries: int
    timeout: float
    largest: int
    note: Callable[[str], None]
    sleep: Callable[[float], None] = time.sleep
    _last: float = float("-inf")

    def get(self, url: str, read: Callable[[Answer], Any], taken: frozenset[int] = frozenset()) -> Any:
        """Ask for a page until it is there and sound.

        Args:
            url: The page.
            read: Makes of an answer what is wanted; raises :class:`Unsound` for one that is not sound.
            taken: Statuses from 400 on that are answers, too.

        Raises:
            DataError: The server refuses, or fails again and again.
        """
        shown = self.secrets.clean(url)
        for attempt in range(self.retries + 1):
            self._wait_turn()
            try:
                return read(self._ask(url))
            except urllib.error.HTTPError as error:
                with error:
                    if error.code in taken:
                        return read(Answer(error.code, b"", error.headers))
                    said = self.secrets.clean(error.read(300).decode("utf-8", "replace")).strip()
                what = f"the server says {error.code} {error.reason}" + (f": {said[:200]}" if said else "")
                if error.code not in PASSING:
                    raise _refused(what, shown, error.code) from None
                asked = _retry_after(error.headers.get("Retry-After"))
            except (OSError, http.client.HTTPException, Unsound) as error:
                reason = getattr(error, "reason", error)
                if isinstance(reason, ssl.SSLCertVerificationError):
                    raise _untrusted(reason, shown) from None
                what, asked = self.secrets.clean(_told(reason, self.timeout)), 0.0
            if asked > PATIENCE:
                raise DataError(
                    f"{what}, and asks to be left alone for {asked:.0f} seconds",
                    where=shown,
                    fix="run it again then: what was fetched is kept; a lower per_second asks less often",
                )
            if attempt < self.retries:
                pause = max(asked, min(LONGEST_WAIT, FIRST_WAIT * 2**attempt) * random.uniform(0.5, 1))
                self.note(f"{shown}: {what}; again in {pause:.1f} s")
                self.sleep(pause)
        raise DataError(
            f"{what} ({self.retries + 1} times)" if self.retries else what,
            where=shown,
            fix="run it again: the pages fetched so far are kept; see that the address answers, or raise retries or "
            "timeout",
        )

    def _wait_turn(self) -> None:
        wait = self._last + 1 / self.per_second - time.monotonic()
        if wait > 0:
            self.sleep(wait)
        self._last = time.monotonic()

    def _ask(self, url: str) -> Answer:
        if urlsplit(url).scheme not in ("http", "https"):
            raise DataError(
                "only http and https are asked", where=self.secrets.clean(url), fix="check the link to the next page"
            )
        plain = {"Accept": "application/json, */*;q=0.5", "Accept-Encoding": "gzip", "User-Agent": "tuneloop"}
        own = self.headers if origin_of(url) == self.origin else {}
        end = time.monotonic() + self.timeout
        opener = urllib.request.build_opener(_Redirects(self.origin))
        with opener.open(urllib.request.Request(url, headers={**plain, **own}), timeout=self.timeout) as response:  # noqa: S310
            return Answer(response.status, self._body(response, end), response.headers)

    def _body(self, response: Any, end: float) -> bytes:
        packed = response.headers.get("Content-Encoding", "").strip().lower()
        if packed not in ("", "identity", "gzip", "x-gzip"):
            raise Unsound(f"the answer is packed by {packed!r}, which was not asked for")
        unpack = zlib.decompressobj(wbits=31) if "gzip" in packed else None
        body = bytearray()
        while piece := response.read1(PIECE):
            if time.monotonic() > end:
                raise TimeoutError
            try:
                body += unpack.decompress(piece, self.largest + 1 - len(body)) if unpack else piece
            except zlib.error as error:
                raise Unsound(f"the packed answer is damaged: {error}") from None
            if len(body) > self.largest:
                raise DataError(
                    f"an answer has more than {self.largest >> 20} MiB",
                    where=self.secrets.clean(response.url),
                    fix="ask for smaller pages (query: {limit: ...}), or raise max_mb",
                )
        if response.length or (unpack and not unpack.eof):
            raise Unsound("the answer was cut off")
        return bytes(body)


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but takes headers to no other host and never goes from https to http."""

    def __init__(self, origin: str) -> None:
        self._origin = origin

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        """The request that follows a redirect."""
        scheme = urlsplit(newurl).scheme
        if scheme not in ("http", "https") or (req.type == "https" and scheme == "http"):
            raise DataError(
                f"the server leads from {req.type} to {scheme}", where=req.host, fix="give the address it leads to"
            )
        made = super().redirect_request(req, fp, code, msg, headers, newurl)
        if made is not None and origin_of(newurl) != self._origin:
            kept = {name: value for name, value in made.headers.items() if name.lower() in ("accept", "user-agent")}
            made.headers = {**kept, "Accept-encoding": "gzip"}
        return made


def origin_of(url: str) -> str:
    """Scheme, host and port of an address.

    Example:
        >>> origin_of("https://API.example.com/v1?page=2")
        'https://api.example.com:443'
    """
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}:{parts.port or (443 if parts.scheme == 'https' else 80)}"


def _retry_after(value: str | None) -> float:
    """Seconds that a server asks to wait: a number, or a date (RFC 9110, section 10.2.3)."""
    if not value:
        return 0.0
    try:
        return max(0.0, float(value))
    except ValueError:
        when = email.utils.parsedate_tz(value)
        return max(0.0, email.utils.mktime_tz(when) - time.time()) if when else 0.0


def _told(reason: object, timeout: float) -> str:
    if isinstance(reason, TimeoutError):
        return f"there is no whole answer within {timeout:g} seconds"
    if isinstance(reason, http.client.IncompleteRead):
        return "the answer was cut off"
    return f"the server cannot be reached: {reason}" if isinstance(reason, OSError) else str(reason) or repr(reason)


def _untrusted(reason: ssl.SSLCertVerificationError, where: str) -> DataError:
    fix = "see that the address is right; for a certificate of your own, name it in SSL_CERT_FILE"
    return DataError(f"the certificate is not trusted: {reason.verify_message}", where=where, fix=fix)


def _refused(what: str, where: str, status: int) -> Refused:
    if status in (401, 403):
        fix = "check the token: headers: {Authorization: 'Bearer env:API_TOKEN'}"
    elif status in (404, 410):
        fix = "check the address in data.sources"
    else:
        fix = "check the address, query and headers of the source"
    error = Refused(what, where=where, fix=fix)
    error.status = status
    return error
