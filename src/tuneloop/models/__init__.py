"""Models: find a base, open it with its tokenizer, choose what learns, and save it.

Importing this package costs nothing; each name below is imported when it is first used.
"""

import logging
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tuneloop.models.find import Base, find_base
    from tuneloop.models.load import Loaded, load_base, open_model, open_start
    from tuneloop.models.save import save_model
    from tuneloop.models.tokenizer import Tokenizer

# Once bitsandbytes is installed PEFT imports it, and it would say on every start which kernel it did not find.
logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)

_HOMES = {
    "Base": "find",
    "Loaded": "load",
    "Tokenizer": "tokenizer",
    "find_base": "find",
    "load_base": "load",
    "open_model": "load",
    "open_start": "load",
    "save_model": "save",
}

__all__ = ["Base", "Loaded", "Tokenizer", "find_base", "load_base", "open_model", "open_start", "save_model"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"tuneloop.models.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'tuneloop.models' has no attribute {name!r}")
