"""The disk during training: a write that fails becomes an error that says how to mend it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

from tuneloop.store.seal import cannot_write


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn a failed write inside, also one that safetensors reports, into an error with its cause and way out.

    Args:
        path: What is written, or the folder it is written in.

    Raises:
        StoreError: The disk is full, not writable or failing.
    """
    try:
        yield
    except OSError as error:
        raise cannot_write(path, error) from error
    except SafetensorError as error:
        number = re.search(r"os error (\d+)", str(error))
        if number is None:
            raise
        cause = OSError(int(number[1]), os.strerror(int(number[1])))
        raise cannot_write(path, cause) from error
