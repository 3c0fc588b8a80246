"""Hugging Face datasets: fetched by their own library, with the commit they are of and the licence they state."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tuneloop.data.section import Source
from tuneloop.errors import DataError, MissingPackage
from tuneloop.parts import install

HUB = "hf://"
"""How the path of such a source begins."""
_COMMIT = re.compile(r"@([0-9a-f]{40})(?:/|$)")


@dataclass(frozen=True)
class Table:
    """A fetched split.

    Attributes:
        files: Its Arrow files, each with what origins call it.
        licence: The licence that its card states; empty if it states none.
        facts: Its commit and its page.
    """

    files: list[tuple[Path, str]]
    licence: str
    facts: dict[str, Any] = field(default_factory=dict)


def hub(source: Source) -> Table:
    """Fetch a Hugging Face dataset; its rows then lie in Arrow files of the local cache.

    Args:
        source: The source, with path and revision.

    Raises:
        MissingPackage: ``datasets`` is not installed.
        DataError: There is no such dataset, or it cannot be fetched.
    """
    try:
        import datasets
    except ModuleNotFoundError as error:
        raise MissingPackage(
            "Hugging Face datasets need the package 'datasets'", where=source.path, fix=install("datasets")
        ) from error
    name, _, split = source.path.removeprefix(HUB).partition("@")
    name, _, config = name.partition(":")
    try:
        table = datasets.load_dataset(name, config or None, split=split or "train", revision=source.revision)
    except (OSError, ValueError, LookupError, datasets.exceptions.DatasetsError) as error:
        said = str(error).splitlines() or [type(error).__name__]
        raise DataError(
            f"the dataset {name!r} cannot be fetched: {said[0]}",
            where=source.path,
            fix="write hf://owner/name[:config][@split]; check the name, the revision, the network and HF_TOKEN",
        ) from error
    commit = _commit(table, source.revision)
    label = f"{HUB}{name}{':' + config if config else ''}@{split or 'train'}"
    paths = [Path(entry["filename"]) for entry in table.cache_files]
    labels = [label] if len(paths) == 1 else [f"{label}/{i}" for i in range(len(paths))]
    facts = {"url": f"https://huggingface.co/datasets/{name}", "revision": commit or source.revision or "not known"}
    return Table(list(zip(paths, labels, strict=True)), _licence(table, name, commit or source.revision), facts)


def _commit(table: Any, asked: str | None) -> str:
    """The commit that the rows are of, from the addresses that they were fetched from."""
    for address in table.info.download_checksums or {}:
        found = _COMMIT.search(address)
        if found:
            return found[1]
    return asked if asked and re.fullmatch(r"[0-9a-f]{40}", asked) else ""


def _licence(table: Any, name: str, revision: str | None) -> str:
    """The licence that the dataset's card states, of the same commit where that is known."""
    from huggingface_hub import DatasetCard, hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    try:
        path = hf_hub_download(name, "README.md", repo_type="dataset", revision=revision)
        stated = DatasetCard.load(path).data.license
    except (OSError, ValueError, HfHubHTTPError, HFValidationError):
        stated = None  # no card, none in the cache, or one that cannot be read
    return ", ".join(stated) if isinstance(stated, list) else str(stated or table.info.license or "").strip()
