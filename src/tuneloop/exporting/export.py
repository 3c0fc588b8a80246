"""The export stage: a tuned model in, a bundle out, with proof that every form answers like the original."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import msgspec

from tuneloop.exporting.section import ExportSection
from tuneloop.monitoring.progress import Progress, Silent
from tuneloop.store import Bundle, Model, Store
from tuneloop.store.digest import of_value


def export(section: ExportSection, *, model: Model, store: Store, progress: Progress | None = None) -> Bundle:
    """Write a model in every form that the section names; a bundle that was made before is found again.

    Each form lies in a folder of its exporter's name; ``verify.json`` holds what each check measured. If one
    form does not answer like the original, nothing is kept.

    Args:
        section: The forms.
        model: The tuned model.
        store: Where the bundle goes.
        progress: Told how far the work is.

    Raises:
        ModelError: A form does not answer like the original, or the model cannot be opened.
        StoreError: The bundle cannot be written.
    """
    from tuneloop.models import open_model

    progress = progress or Silent()
    parents = {"model": model.id}
    key = of_value(["bundle", parents, section.model_dump(mode="json")])
    if known := store.find(Bundle, key):
        return known
    progress.start("exporting", len(section.to))
    verified: dict[str, Any] = {}
    storage: dict[str, Any] = {"model": _bytes(model.weights)}
    with store.draft() as folder:
        for done, exporter in enumerate(section.to, start=1):
            place = folder / exporter.name
            place.mkdir()
            verified[exporter.name] = exporter.write(open_model(model, store), place)
            storage[exporter.name] = _bytes(place)
            progress.advance(done)
        if (model.folder / "card.md").exists():
            shutil.copyfile(model.folder / "card.md", folder / "card.md")
        (folder / "verify.json").write_bytes(msgspec.json.format(msgspec.json.encode(verified), indent=2) + b"\n")
        facts = {"forms": list(verified), "storage": storage | _share(model, storage), "verified": verified}
        return store.seal(Bundle, folder, parents=parents, key=key, facts=facts)


def _share(model: Model, storage: dict[str, int]) -> dict[str, float]:
    """How much of the merged model's bytes the adapter alone takes, where there are both."""
    if not model.is_adapter or "merged" not in storage:
        return {}
    return {"share": storage["model"] / storage["merged"]}


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*.safetensors"))
