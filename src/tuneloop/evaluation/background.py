"""Background: what a report stands on: its data, its recipe, its lineage and its environment."""

from __future__ import annotations

import platform
from collections import Counter
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuneloop.store import Artifact, Dataset, Run, Store
from tuneloop.store.kinds import read_json
from tuneloop.store.lineage import ancestors

if TYPE_CHECKING:
    from tuneloop.models import Loaded

PACKAGES = ("tuneloop", "torch", "transformers", "peft", "tokenizers", "rouge-score", "sacrebleu")


def trained_length(run: Run | None, loaded: Loaded) -> int:
    """Tokens of the longest row: as in training where that is known, and never more than the model's context."""
    from tuneloop.models.generate import context_length

    trained = recipe_of(run).get("train", {}).get("max_length")
    return min(length for length in (trained, context_length(loaded), 1 << 20) if length)


def recipe_of(run: Run | None) -> dict[str, Any]:
    """The resolved recipe of a run; empty where none is known."""
    import yaml

    if run is None:
        return {}
    value: dict[str, Any] = yaml.safe_load((run.folder / "recipe.yaml").read_text(encoding="utf-8"))
    return value


def receipts_of(run: Run | None) -> dict[str, Any]:
    """What a run's receipts say; empty where there are none."""
    path: Path | None = run.folder / "receipts.json" if run else None
    return read_json(path) if path and path.exists() else {}


def data_of(dataset: Dataset) -> dict[str, Any]:
    """Rows of each split, and rows set aside by their reason."""
    import pyarrow.parquet as pq

    dropped = Counter(drop.reason for drop in dataset.dropped())
    splits = {split: pq.read_metadata(dataset.folder / f"{split}.parquet").num_rows for split in dataset.splits}
    kept, gone = sum(splits.values()), sum(dropped.values())
    return {"rows": kept + gone, "kept": kept, "splits": splits, "dropped": dict(dropped.most_common())}


def lineage_of(store: Store, *artifacts: Artifact | str) -> list[dict[str, Any]]:
    """The artifacts, and all that they were made from, each once."""
    found: dict[str, dict[str, Any]] = {}
    for each in artifacts:
        for manifest in ancestors(store, each if isinstance(each, str) else each.id):
            found[manifest.id] = {"kind": manifest.kind, "id": manifest.id, "parents": manifest.parents}
    return list(found.values())


def environment(device: str) -> dict[str, str]:
    """Versions of what measured, and where it ran."""
    versions = {name: metadata.version(name) for name in PACKAGES}
    return (
        {"python": platform.python_version(), "system": platform.system(), "machine": platform.machine()}
        | {"device": device}
        | versions
    )
