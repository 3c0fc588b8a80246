"""tuneloop: one recipe for the whole life of a fine-tuned model.

The names below are the whole public face; each is imported when it is first used, so
``import tuneloop`` costs nothing.

Example:
    >>> import tuneloop
    >>> tuneloop.Store.__name__
    'Store'
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tuneloop.life import (
        chat,
        collect,
        evaluate,
        export,
        improve,
        lineage,
        load,
        prepare,
        promote,
        release,
        retrain,
        rollback,
        run,
        serve,
        train,
        tune,
        tuned,
    )
    from tuneloop.recipe import Recipe
    from tuneloop.store import Store

_HOMES = {"Recipe": "tuneloop.recipe", "Store": "tuneloop.store"}

__all__ = [
    "Recipe",
    "Store",
    "chat",
    "collect",
    "evaluate",
    "export",
    "improve",
    "lineage",
    "load",
    "prepare",
    "promote",
    "release",
    "retrain",
    "rollback",
    "run",
    "serve",
    "train",
    "tune",
    "tuned",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("tuneloop")
    if name in __all__:
        return getattr(import_module(_HOMES.get(name, "tuneloop.life")), name)
    raise AttributeError(f"module 'tuneloop' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
