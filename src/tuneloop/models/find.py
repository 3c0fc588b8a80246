"""Find the base model that a recipe names, check that its files are there, and give it a digest."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from tuneloop.errors import ModelError, StoreError
from tuneloop.models.section import ModelSection
from tuneloop.store import Model, Release, Store
from tuneloop.store.digest import of_file, of_value

_KINDS = ("*.json", "*.safetensors", "*.jinja", "*.model", "*.txt", "*.py")
_PICKLED = (".bin", ".pt", ".pth", ".ckpt", ".h5", ".msgpack")


@dataclass(frozen=True, slots=True)
class Base:
    """A base model on disk.

    Attributes:
        name: As the recipe writes it.
        folder: Where its files are; of a store model, its ``model`` folder.
        digest: SHA-256 over the SHA-256 of its files and the template that goes before its own.
        artifact: The store model, if it is one.
        under: The base below, if ``artifact`` is an adapter; the two are merged when it is loaded.
        template: A chat template that goes before the tokenizer's own.
    """

    name: str
    folder: Path
    digest: str
    artifact: Model | None = None
    under: Base | None = None
    template: str | None = None

    @property
    def config_folder(self) -> Path:
        """The folder with ``config.json``: its own, or of an adapter that of the base below."""
        return self.under.config_folder if self.under else self.folder


def find_base(section: ModelSection, *, folder: Path, store: Store) -> Base:
    """Find the base model of a recipe: ``embedded``, a folder, a model of the store, or a Hugging Face name.

    Args:
        section: The recipe's ``model`` section.
        folder: The folder that relative paths start from.
        store: The store, for models in it and for the digests of large files.

    Returns:
        The base, with every needed file present.

    Raises:
        ModelError: There is no such model, or files of it are missing; the message names them.
    """
    template = _template(section, folder)
    local = _folder(section.base, folder)
    if local is not None:
        needed_files(local, weights=section.init == "pretrained")
        digest = _digest(local, store, weights=section.init == "pretrained", template=template)
        return Base(section.base, local, digest, template=template)
    artifact, problem = _artifact(section.base, store)
    if artifact is not None:
        return of_model(artifact, store, template=template)
    downloaded = _download(section, problem)
    needed_files(downloaded, weights=section.init == "pretrained")
    digest = _digest(downloaded, store, weights=section.init == "pretrained", template=template)
    return Base(section.base, downloaded, digest, template=template)


def of_model(artifact: Model, store: Store, *, template: str | None = None) -> Base:
    """Make a tuned model of the store a base, so that it can be tuned further or merged.

    Raises:
        ModelError: The base below an adapter is gone or has changed.
    """
    under = base_of(artifact, store) if artifact.is_adapter else None
    digest = of_value({"model": artifact.id, "template": template})
    return Base(artifact.id, artifact.weights, digest, artifact, under, template)


def base_of(model: Model, store: Store) -> Base:
    """Find the base of a tuned model again, by what its facts say of it.

    Raises:
        ModelError: The base is gone, or its files have changed since.
    """
    facts = model.facts["base"]
    section = ModelSection(**{**model.facts["model"], "base": facts["name"]})
    template = facts["template"]
    artifact, _ = _artifact(facts["name"], store) if facts["artifact"] else (None, "")
    if artifact is not None:
        return of_model(artifact, store, template=template)
    if facts["artifact"]:
        raise ModelError(
            f"{model.id} was tuned on {facts['artifact']}, which is no longer in the store",
            where=str(store.root),
            fix="restore that model from a copy of the store, or train again",
        )
    weights = section.init == "pretrained"
    found: Path | None = Path(facts["folder"])
    if found is None or not (found / "config.json").is_file():
        found = _folder(section.base, Path()) or _download(section, f"its folder {facts['folder']} is gone")
    needed_files(found, weights=weights)
    digest = _digest(found, store, weights=weights, template=template)
    if digest != facts["digest"]:
        raise ModelError(
            f"the base model {facts['name']!r} has changed since {model.id} was tuned on it",
            where=str(found),
            fix="restore the files it had then, or train again on the base as it is now",
        )
    return Base(facts["name"], found, digest, template=template)


def needed_files(folder: Path, *, weights: bool = True) -> None:
    """Check that a folder has all files of a model.

    Args:
        folder: The folder.
        weights: Whether weights are needed, not only configuration and tokenizer.

    Raises:
        ModelError: Some are missing or unreadable; the message names every one.
    """
    missing = [] if (folder / "config.json").is_file() else ["config.json"]
    if not missing:
        _config(folder)
    whole = [("tokenizer.json",), ("tokenizer.model",), ("vocab.json", "merges.txt"), ("vocab.txt",)]
    if not any(all((folder / name).is_file() for name in names) for names in whole):
        missing.append("tokenizer.json")
    if weights and not (folder / "model.safetensors").is_file():
        index = folder / "model.safetensors.index.json"
        if index.is_file():
            shards = set(_json(index).get("weight_map", {}).values())
            missing += sorted(shard for shard in shards if not (folder / shard).is_file())
        else:
            missing.append("model.safetensors")
    if not missing:
        return
    pickled = sorted(path.name for path in folder.iterdir() if path.suffix in _PICKLED) if folder.is_dir() else []
    fix = "copy the whole folder of the model again"
    if pickled and "model.safetensors" in missing:
        fix = (
            f"{', '.join(pickled)} can run code when opened, so it is not; convert it once on a machine you trust: "
            "AutoModelForCausalLM.from_pretrained(FOLDER).save_pretrained(NEW_FOLDER)"
        )
    raise ModelError(f"files of the model are missing: {', '.join(missing)}", where=str(folder), fix=fix)


def _config(folder: Path) -> None:
    config = _json(folder / "config.json")
    if not config.get("model_type"):
        raise ModelError(
            "the configuration does not say of what family the model is (model_type)",
            where=str(folder / "config.json"),
            fix='add it as the model\'s page says, for example "model_type": "llama"',
        )


def _json(path: Path) -> dict[str, Any]:
    try:
        value: dict[str, Any] = msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    except (OSError, msgspec.DecodeError) as error:
        raise ModelError(f"not a JSON object: {error}", where=str(path), fix="copy the file again") from error
    return value


def _template(section: ModelSection, folder: Path) -> str | None:
    if section.chat_template is None:
        return None
    path = folder / section.chat_template
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(
            f"the chat template cannot be read: {error}", where=str(path), fix="check model.chat_template in the recipe"
        ) from error


def _folder(name: str, folder: Path) -> Path | None:
    if name == "embedded":
        from tuneloop import embedded

        return embedded.base()
    path = (folder / Path(name).expanduser()).resolve()
    return path if path.is_dir() else None


def _artifact(name: str, store: Store) -> tuple[Model | None, str]:
    try:
        artifact = store.open(name)
        if isinstance(artifact, Release):
            artifact = store.open(artifact.parents["model"])
    except StoreError as error:
        return None, error.problems[0].what
    return (artifact, "") if isinstance(artifact, Model) else (None, f"{artifact.id} is no model")


def _download(section: ModelSection, tried: str) -> Path:
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?", section.base):
        raise ModelError(
            f"there is no base model {section.base!r} ({tried})",
            where="model.base",
            fix="give a folder with config.json and model.safetensors, a Hugging Face name, or embedded",
        )
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        got = snapshot_download(
            section.base, revision=section.revision, allow_patterns=_wanted(section), ignore_patterns=["*/*"]
        )
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ModelError(
            f"the base model {section.base!r} is no folder here, not in the store ({tried}), "
            f"and cannot be fetched from Hugging Face: {first}",
            where="model.base",
            fix="check the name and the network; or give the folder of a model that is already here; or use embedded",
        ) from error
    return Path(got)


def _wanted(section: ModelSection) -> list[str]:
    asked = {"*.py": section.trust_remote_code, "*.safetensors": section.init == "pretrained"}
    return [kind for kind in _KINDS if asked.get(kind, True)]


def _digest(folder: Path, store: Store, *, weights: bool, template: str | None) -> str:
    files = sorted({path for kind in _KINDS for path in folder.glob(kind) if path.is_file()})
    kept = {path.name: _sha256(path, store) for path in files if weights or path.suffix != ".safetensors"}
    return of_value({"files": kept, "template": template})


def _sha256(path: Path, store: Store) -> str:
    # Weights are gigabytes: their digest is remembered under path, size and time of change.
    stat = path.stat()
    place = [str(path.resolve()), stat.st_size, stat.st_mtime_ns]
    remembered = store.root / "cache" / f"sha256-{of_value(place)[:32]}"
    if remembered.is_file():
        return remembered.read_text(encoding="ascii")
    digest = of_file(path)
    if stat.st_size > 1_000_000:
        remembered.write_text(digest, encoding="ascii")
    return digest
