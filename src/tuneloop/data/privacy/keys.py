"""The secret key that pseudonyms are made with: read where it is kept, never written anywhere."""

from __future__ import annotations

import os
from pathlib import Path

from tuneloop.errors import DataError

FEWEST = 16
_MAKE = 'python -c "import secrets; print(secrets.token_hex(32))"'


def secret_key(file: str, variable: str, folder: Path) -> bytes:
    """Read the key.

    Args:
        file: The path of a file that holds it, relative to the folder; empty to use the variable.
        variable: The name of the environment variable that holds it.
        folder: The recipe's folder.

    Raises:
        DataError: There is none, or it is too short to be a secret.
    """
    where = f"redact.key_file: {file}" if file else f"redact.key_variable: {variable}"
    if file:
        try:
            key = (folder / file).read_bytes().strip()
        except OSError as error:
            raise DataError(
                f"the file with the secret key cannot be read: {error.strerror}",
                where=where,
                fix=f"make one outside the repository with {_MAKE}, readable by you alone, and keep it",
            ) from None
    else:
        key = os.environ.get(variable, "").strip().encode("utf-8", "surrogateescape")
    if not key:
        raise DataError(
            "pseudonyms need a secret key, and there is none",
            where=where,
            fix=f"set the environment variable {variable} (or name a redact.key_file); make a key with {_MAKE}",
        )
    if len(key) < FEWEST:
        raise DataError(
            f"the secret key has only {len(key)} bytes and could be guessed",
            where=where,
            fix=f"take one of {FEWEST} bytes or more, made with {_MAKE}",
        )
    return key
