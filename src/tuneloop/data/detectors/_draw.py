"""Draws: figures and letters that follow from a secret and a value, the same in every row and every run."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")
_LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"


class Draw:
    """What a pseudonym is made of: HMAC-SHA256 of a kind and a value under a secret key, spent piece by piece.

    Args:
        key: The secret.
        kind: The kind of datum; equal values of two kinds have nothing in common.
        value: The value in its one spelling; kept as the attribute ``value``.

    Example:
        >>> key = b"a secret of enough bytes"
        >>> Draw(key, "email", "ann@example.com").digits(6) == Draw(key, "email", "ann@example.com").digits(6)
        True
    """

    def __init__(self, key: bytes, kind: str, value: str) -> None:
        self.value = value
        made = hmac.new(key, f"{kind}\0{value}".encode("utf-8", "surrogatepass"), hashlib.sha256).digest()
        self._left = int.from_bytes(made)

    def below(self, limit: int) -> int:
        """A whole number from 0 to ``limit`` - 1."""
        self._left, number = divmod(self._left, limit)
        return number

    def one_of(self, choices: Sequence[T]) -> T:
        """One of several."""
        return choices[self.below(len(choices))]

    def digits(self, count: int) -> str:
        """So many decimal digits."""
        return f"{self.below(10**count):0{count}d}"

    def letters(self, count: int) -> str:
        """So many small letters and digits, without those that are easily mistaken for others."""
        return "".join(self.one_of(_LETTERS) for _ in range(count))
