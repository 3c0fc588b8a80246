"""API keys: who may call the service."""

from __future__ import annotations

import hashlib
import hmac
import re
from pathlib import Path

from tuneloop.errors import ServeError


class Keys:
    """The keys of one file, held as digests only.

    Args:
        digests: SHA-256 of every key.
    """

    def __init__(self, digests: list[bytes]) -> None:
        self._digests = digests

    @classmethod
    def read(cls, path: Path) -> Keys:
        """Read a file with one key per line, each in plain or as ``sha256:`` and the digest in hexadecimal.

        Empty lines and lines that begin with ``#`` are passed over.

        Raises:
            ServeError: The file cannot be read, holds no key, or a line is no key.
        """
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise ServeError(
                f"the key file cannot be read: {getattr(error, 'strerror', None) or error}",
                where=str(path),
                fix="give serve.keys a file with one key per line",
            ) from error
        digests = []
        for number, line in enumerate(lines, 1):
            text = line.strip()
            if text and not text.startswith("#"):
                digests.append(_digest(text, f"{path}:{number}"))
        if not digests:
            raise ServeError(
                "the key file holds no key",
                where=str(path),
                fix="make one with: python -c 'import secrets; print(secrets.token_urlsafe(32))'",
            )
        return cls(digests)

    def caller(self, authorization: str | None) -> str | None:
        """Recognise the caller by the ``Authorization`` header.

        Returns:
            A short digest that stands for the caller in the log; None if the key is not known.
        """
        scheme, _, key = (authorization or "").partition(" ")
        given = hashlib.sha256(key.strip().encode("utf-8", "surrogateescape")).digest()
        known = [hmac.compare_digest(given, digest) for digest in self._digests]  # all, so that time tells nothing
        if scheme.lower() != "bearer" or not any(known):
            return None
        return hashlib.sha256(given).hexdigest()[:16]


def _digest(line: str, where: str) -> bytes:
    if not line.startswith("sha256:"):
        if len(line) < 16 or re.search(r"\s", line):
            raise ServeError(
                "this is too short for a key, or has spaces",
                where=where,
                fix="make one with: python -c 'import secrets; print(secrets.token_urlsafe(32))'",
            )
        return hashlib.sha256(line.encode()).digest()
    digest = line.removeprefix("sha256:").strip()
    if not re.fullmatch(r"[0-9a-fA-F]{64}", digest):
        raise ServeError(
            "sha256: is not followed by 64 hexadecimal digits",
            where=where,
            fix="make the digest with: printf %s YOUR-KEY | sha256sum",
        )
    return bytes.fromhex(digest)
