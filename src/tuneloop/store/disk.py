"""The disk: a write that fails becomes an error that says how to mend it, whichever library did the writing."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tuneloop.errors import TuneloopError
from tuneloop.store.seal import cannot_write


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn a failed write inside into an error with its cause and way out.

    safetensors and tokenizers, written in Rust, report a full disk by exceptions of their own; tokenizers even by
    a plain ``Exception``. Both end with the number of the system's error, and by that they are known.

    Args:
        path: What is written, or the folder it is written in.

    Raises:
        StoreError: The disk is full, not writable or failing.
    """
    try:
        yield
    except TuneloopError:
        raise
    except Exception as error:
        cause = _cause(error)
        if cause is None:
            raise
        raise cannot_write(path, cause) from error


def _cause(error: Exception) -> OSError | None:
    """The system's error behind an exception; None where it has another reason."""
    if isinstance(error, OSError):
        return error if error.errno else None  # transformers raises OSError, without a number, for bad models
    number = re.search(r"\(os error (\d+)\)$", str(error))
    return OSError(int(number[1]), os.strerror(int(number[1]))) if number else None
