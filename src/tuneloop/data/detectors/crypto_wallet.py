"""Addresses of cryptocurrency wallets: Bitcoin (Base58Check, BIP 13, BIP 173, BIP 350) and Ethereum."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from typing import ClassVar, final

from tuneloop.data.detectors import Detector, Span

_FORM = re.compile(
    r"(?<![0-9A-Za-z_])(?:(?P<base58>[13][1-9A-HJ-NP-Za-km-z]{25,34})|(?P<bech32>(?:bc1|BC1)[0-9A-Za-z]{23,71})"
    r"|(?P<hex>0x[0-9a-fA-F]{40}))(?![0-9A-Za-z_])"
)
_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_POLYMOD = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_SUMS = (1, 0x2BC830A3)


@final
class CryptoWallet(Detector):
    """Wallets of Bitcoin with a right check sum, and addresses of Ethereum by their form."""

    digits: ClassVar[int] = 1
    unbroken: ClassVar[int] = 26

    def find(self, text: str) -> Iterable[Span]:
        """Look for all three forms.

        Example:
            >>> text = "send it to 1BoatSLRHtKNngkdXEeobR76b53LETtpyT, please"
            >>> [text[span.start : span.end] for span in CryptoWallet().find(text)]
            ['1BoatSLRHtKNngkdXEeobR76b53LETtpyT']
        """
        for found in _FORM.finditer(text):
            kind = found.lastgroup
            if kind == "hex" or (_base58_fits if kind == "base58" else _bech32_fits)(found[0]):
                yield self.span(*found.span(), 0.85 if kind == "hex" else 0.99)

    def same(self, value: str) -> str:
        """The address as it is: in Base58 capitals and small letters differ."""
        return value if value[0] in "13" else value.lower()


def _base58_fits(address: str) -> bool:
    number = 0
    for sign in address:
        number = number * 58 + _BASE58.index(sign)
    if number >> 200:
        return False
    data = number.to_bytes(25)
    return hashlib.sha256(hashlib.sha256(data[:-4]).digest()).digest()[:4] == data[-4:]


def _bech32_fits(address: str) -> bool:
    signs = address.lower()
    if address not in (signs, address.upper()) or not set(signs[3:]) <= set(_BECH32):
        return False
    total = 1
    for value in [3, 3, 0, 2, 3, *map(_BECH32.index, signs[3:])]:
        top = total >> 25
        total = (total & 0x1FFFFFF) << 5 ^ value
        for bit, part in enumerate(_POLYMOD):
            total ^= part if top >> bit & 1 else 0
    return total in _SUMS
