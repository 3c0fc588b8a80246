"""Internet addresses, version 4 and 6 (RFC 791, RFC 4291)."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator
from typing import ClassVar, final

from tuneloop.data.detectors import Detector, Span
from tuneloop.data.detectors._draw import Draw
from tuneloop.data.detectors._text import after_hexadecimal, nearest

_BYTE = r"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"
_FOUR = re.compile(rf"{_BYTE}(?:\.{_BYTE}){{3}}(?![0-9A-Za-z_]|\.[0-9A-Za-z]|-\d)", re.ASCII)
_DOTTED = re.compile(r"[0-9]\.[0-9]")
_INSIDE = re.compile(r"[0-9A-Za-z_.]\Z|\d-\Z")
_SIX = re.compile(
    r"(?<![0-9A-Za-z_.])(?<!::)(?=::|[0-9A-Fa-f])(?:[0-9A-Fa-f]{0,4}:){2,7}"
    r"(?:(?:\d{1,3}\.){3}\d{1,3}|[0-9A-Fa-f]{0,4})(?![0-9A-Za-z_:]|\.\d)"
)
_VERSION = re.compile(
    r"(?:\b(?:versions?|ver|v|release|build|firmware|section|chapter|clause)\b|版本|章节|第|固件)"
    r"[^0-9A-Za-z.!?\n]{0,3}(?:is |为|是|号)?\Z",
    re.IGNORECASE,
)
_NUMBERED = re.compile(r"[A-Z]\w*/\Z")
_OF_VERSION = re.compile(r" ?(?:版本|版(?!主))")
_ADDRESS = re.compile(
    r"(?P<address>\bip(?:v4|v6)?\b|address|server|host|ping|gateway|subnet|\bdns\b|login|connect|地址|服务器|主机|网关|登录)",
    re.IGNORECASE,
)
_PLAIN_SIX = 3


@final
class Ip(Detector):
    """Addresses of machines; loopback, unspecified, broadcast and net masks are nobody's and stay."""

    digits: ClassVar[int] = 1
    cues: ClassVar[tuple[str, ...]] = (".", ":")
    stand_in: ClassVar[str] = r"(?<![\d.])0\.\d{1,3}\.\d{1,3}\.\d{1,3}|100::[0-9a-f:]+"

    def find(self, text: str) -> Iterable[Span]:
        """Look for both versions; a version number is none, and four single digits only where an address is spoken of.

        Example:
            >>> text = "从192.0.2.17登录，服务器2001:db8::8a2e:370:7334，version 10.2.3.4"
            >>> [text[span.start : span.end] for span in Ip().find(text)]
            ['192.0.2.17', '2001:db8::8a2e:370:7334']
        """
        if text.count(".") > _PLAIN_SIX - 1 and _DOTTED.search(text):
            yield from self._four(text)
        if text.count(":") > 1:
            yield from self._six(text)

    def same(self, value: str) -> str:
        """The address as the standards write it."""
        return ipaddress.ip_address(value).compressed

    def pseudonym(self, draw: Draw) -> str:
        """An address of 0.0.0.0/8 or of the discard prefix 100::/64 (RFC 6666), at which nobody is."""
        if ":" in draw.value:
            return str(ipaddress.IPv6Address((0x0100 << 112) + (1 << 63) + draw.below(1 << 63)))
        return f"0.{draw.below(256)}.{draw.below(256)}.{1 + draw.below(255)}"

    def _four(self, text: str) -> Iterator[Span]:
        for found in _FOUR.finditer(text):
            numbers = [int(number) for number in found[0].split(".")]
            start = found.start()
            if numbers[0] in (0, 127, 255) or _INSIDE.search(text, max(0, start - 2), start):
                continue
            told = nearest(text, start, _ADDRESS, 24)
            version = (
                _VERSION.search(text, max(0, start - 16), start)
                or _NUMBERED.search(text, max(0, start - 16), start)
                or _OF_VERSION.match(text, found.end())
            )
            if (told or max(numbers) > 9) and not version:
                yield self.span(*found.span(), 0.95 if told else 0.85)

    def _six(self, text: str) -> Iterator[Span]:
        for found in _SIX.finditer(text):
            try:
                address = ipaddress.IPv6Address(found[0])
            except ValueError:
                continue
            groups = [group for group in re.split("[:.]", found[0]) if group]
            long = len(groups) >= _PLAIN_SIX or (len(groups) > 1 and len(groups[0]) > _PLAIN_SIX)
            nobody = address.is_loopback or address.is_unspecified or after_hexadecimal(text, found.start())
            if long and any(map(str.isdigit, found[0])) and not nobody:
                yield self.span(*found.span(), 0.95)
