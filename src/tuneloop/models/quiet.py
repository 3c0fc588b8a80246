"""Keep libraries from writing to the terminal: only the command line speaks there."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quietly() -> Iterator[None]:
    """Run a block without the progress bars of transformers and without notices meant for its developers."""
    from transformers.utils import logging

    shown, verbosity = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()  # what weights lack or have too many is judged by models/load.py
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            # PEFT warns of merging, where tuneloop gives either end weights of its own (models/merge.py).
            warnings.filterwarnings("ignore", message="Model has `tie_word_embeddings=True` and a tied layer")
            # PEFT advises to leave matrices unmade until EVA makes them; they are made once, before the rows are read.
            warnings.filterwarnings("ignore", message="lora with eva initialization used with low_cpu_mem_usage")
            yield
    finally:
        logging.set_verbosity(verbosity)
        if shown:
            logging.enable_progress_bar()
