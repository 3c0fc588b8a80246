"""Base models of the runs: the real ones, ones that learned something first, and damaged copies."""

from __future__ import annotations

import hashlib
import inspect
import json
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.faulty import healthy, spoiled

if TYPE_CHECKING:
    import torch

    from bench.faulty.case import Case

Weights = dict[str, "torch.Tensor"]
MADE = Path(__file__).parents[2] / "build" / "judgement" / "models"
"""Where models that are made for the runs lie."""


def base_of(model: str, seed: int) -> str:
    """Folder of a setting's base model.

    Args:
        model: A real model, ``embedded``, or ``tuned:<setting>`` for what that setting makes of its own rows.
        seed: For a tuned one, the seed it is made with.
    """
    if not model.startswith("tuned:"):
        return healthy.real(model)
    name = model.removeprefix("tuned:")
    return str(tuned(healthy.case(name, seed + 100), f"{name}-{seed}"))


def tuned(case: Case, name: str) -> Path:
    """Train a case in a healthy way, and give the folder of the model.

    Args:
        case: Full training.
        name: Name of the folder.
    """
    import tuneloop

    def make(draft: Path) -> None:
        with tempfile.TemporaryDirectory() as room:
            store = tuneloop.Store(Path(room) / "store")
            _, model = tuneloop.train(case.recipe(Path(room)), store)
            shutil.copytree(model.weights, draft, dirs_exist_ok=True)

    made_from = [case.task, case.rows, case.options, case.base, case.template]
    return _made(f"tuned-{name}-{_digest(json.dumps(made_from))}", make)


def damaged(case: Case, name: str, change: Callable[[Weights, dict[str, Any]], None]) -> Case:
    """The case with a copy of its base in which weights and configuration were changed.

    Args:
        case: The case.
        name: Says what is wrong with the copy.
        change: Changes weights by name and ``config.json`` in place.
    """

    def make(draft: Path) -> None:
        from safetensors.torch import load_file, save_file

        from tuneloop import embedded

        source = embedded.base() if case.base == "embedded" else Path(case.base)
        shutil.copytree(source, draft, dirs_exist_ok=True)
        config = json.loads((source / "config.json").read_text(encoding="utf-8"))
        weights = load_file(source / "model.safetensors")
        change(weights, config)
        save_file(
            {key: value.contiguous() for key, value in weights.items()}, draft / "model.safetensors", {"format": "pt"}
        )
        (draft / "config.json").write_text(json.dumps(config), encoding="utf-8")

    return replace(case, base=str(_made(f"{name}-{_digest(case.base, inspect.getsource(spoiled))}-{case.seed}", make)))


def _digest(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:12]


def _made(name: str, make: Callable[[Path], None]) -> Path:
    """A folder under :data:`MADE`, made once, whole or not at all."""
    folder = MADE / name
    if not folder.exists():
        MADE.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(dir=MADE, prefix=".draft-"))
        make(draft)
        try:
            draft.rename(folder)
        except OSError:  # another process was first
            shutil.rmtree(draft)
    return folder
