"""Keep libraries from writing to the terminal: only the command line speaks there."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quietly() -> Iterator[None]:
    """Run a block without the progress bars of transformers and without notices meant for its developers."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            # PEFT warns of merging, where tuneloop gives either end weights of its own (models/merge.py).
            warnings.filterwarnings("ignore", message="Model has `tie_word_embeddings=True` and a tied layer")
            yield
    finally:
        if shown:
            logging.enable_progress_bar()
