"""The reference: what the model said of every row before its first step, computed once and kept in the store's cache.

The reference is the very model that learns, as it is before its first step: the base under a fresh adapter (whichever
way its weights begin), the tuned model that a run goes on from, or all weights of a full fine-tuning. So no second
model is in memory, and the first step starts at a distance of exactly zero.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import torch
from torch import nn

from tuneloop.models import Loaded
from tuneloop.monitoring.progress import Progress
from tuneloop.store import Store
from tuneloop.store.digest import of_value
from tuneloop.store.disk import writing
from tuneloop.tasks import Batch
from tuneloop.training.encoded import Encoded
from tuneloop.training.loop import Learner

FORMAT = 1
ROWS, TOKENS = 64, 8192
"""Rows and tokens of a pass; fixed, so that the last bits of the figures do not depend on the recipe's batch."""
TOLERANCE = {"fp32": 1e-3, "bf16": 3e-2, "fp16": 3e-3}
"""Relative difference up to which a cached figure is the same as one computed again."""

Says = Callable[[nn.Module, Batch], torch.Tensor]


def with_reference(learner: Learner, loaded: Loaded, store: Store, progress: Progress) -> Learner:
    """Give the rows of a learner what the task wants to know of the model before its first step.

    Args:
        learner: The learner, before its first step; its checkpoint is not yet read.
        loaded: Its model, with the base it stands on.
        store: Its cache keeps the figures.
        progress: Told how far it is.

    Returns:
        The same learner with ``values`` in its rows and an account of them in ``reference``, or just the learner where
        the task wants nothing.

    Raises:
        StoreError: The cache cannot be written.
    """
    says = learner.task.reference()
    if says is None:
        return learner
    weights = _digest(learner.model)
    how = [FORMAT, loaded.base.digest, loaded.section.model_dump(mode="json"), weights, learner.precision.name]
    how += [learner.precision.device.type, learner.quick.packing]
    account: dict[str, Any] = {"model": "as before the first step", "learning_weights": weights}
    changes: dict[str, Any] = {}
    for split in ("train", "validation"):
        rows: Encoded = getattr(learner, split)
        path = store.root / "cache" / f"reference-{of_value([*how, rows.digest])[:32]}"
        values, cached = _values(path, split, rows, learner, says, progress)
        changes[split] = dataclasses.replace(rows, values=values)
        account[split] = {"examples": len(rows), "cached": cached}
    return dataclasses.replace(learner, **changes, reference=account)


def _values(
    path: Path, split: str, rows: Encoded, learner: Learner, says: Says, progress: Progress
) -> tuple[np.ndarray, bool]:
    """The figures of a split, and whether they came from the cache."""
    parts = _parts(rows)
    found = _load(path, len(rows))
    if found is not None and (not parts or _holds(found, parts[-1], rows, learner, says)):
        return found, True
    progress.start(f"reading {split} rows with the reference", len(rows))
    pieces: list[tuple[list[int], np.ndarray]] = []
    done = 0
    for part in parts:
        pieces.append((part, _measure(part, rows, learner, says)))
        done += len(part)
        progress.advance(done)
    values = np.zeros((len(rows), pieces[0][1].shape[1] if pieces else 0), np.float32)
    for part, piece in pieces:
        values[part] = piece
    _save(path, values)
    return values, False


def _parts(rows: Encoded) -> list[list[int]]:
    """Rows of like length that are read together, the longest first."""
    parts: list[list[int]] = []
    lengths = rows.lengths
    for row in lengths.argsort(kind="stable")[::-1].tolist():
        if parts and len(parts[-1]) < ROWS and (len(parts[-1]) + 1) * lengths[parts[-1][0]] <= TOKENS:
            parts[-1].append(row)
        else:
            parts.append([row])
    return parts


def _measure(part: list[int], rows: Encoded, learner: Learner, says: Says) -> np.ndarray:
    """Figures of rows that are read together, ``(rows, values)``."""
    task, was = learner.task, learner.model.training
    examples = [rows[row] for row in part]
    batch = task.pack(examples) if learner.quick.packing else task.collate(examples, learner.pad)
    learner.model.eval()
    with torch.no_grad(), learner.precision.forward():
        said = says(learner.model, batch.to(learner.precision.device)).float().cpu().numpy()
    learner.model.train(was)
    return said


def _holds(found: np.ndarray, part: list[int], rows: Encoded, learner: Learner, says: Says) -> bool:
    """Whether some figures, computed again, are those of the cache."""
    again = _measure(part, rows, learner, says)
    return bool(np.allclose(found[part], again, rtol=TOLERANCE[learner.precision.name], atol=1e-2))


def _digest(model: nn.Module) -> str:
    """SHA-256 of all weights that learn."""
    digest = hashlib.sha256()
    for name, weight in model.named_parameters():
        if weight.requires_grad:
            digest.update(name.encode())
            digest.update(weight.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _save(path: Path, values: np.ndarray) -> None:
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    digest = hashlib.sha256(values.tobytes()).digest()
    with writing(path), fresh.open("wb") as file:
        np.savez(file, values=values, digest=np.frombuffer(digest, np.uint8))
    fresh.replace(path)


def _load(path: Path, examples: int) -> np.ndarray | None:
    """The figures of a cache; None where it is missing, damaged or of other rows."""
    if not path.exists():
        return None
    try:
        with np.load(path, allow_pickle=False) as arrays:
            values: np.ndarray = arrays["values"]
            sound = hashlib.sha256(values.tobytes()).digest() == arrays["digest"].tobytes()
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return None
    return values if sound and values.dtype == np.float32 and len(values) == examples else None
