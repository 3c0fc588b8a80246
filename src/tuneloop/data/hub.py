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
_COMMIT = re.compile(r"[@/]([0-9a-f]{40})(?:/|$)")


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
    wanted = _wanted(name, source.revision) if source.revision is not None else None
    try:
        table = datasets.load_dataset(name, config or None, split=split or "train", revision=wanted)
    except (OSError, ValueError, LookupError, datasets.exceptions.DatasetsError) as error:
        said = str(error).splitlines() or [type(error).__name__]
        raise DataError(
            f"the dataset {name!r} cannot be fetched: {said[0]}",
            where=source.path,
            fix="write hf://owner/name[:config][@split]; check the name, the revision, the network and HF_TOKEN",
        ) from error
    commit = _commit(table)
    if wanted is not None and commit != wanted:  # without a network, datasets takes whatever its cache has
        raise DataError(
            f"the revision {source.revision!r} was asked for, and there is only {commit or 'an unknown one'}",
            where=source.path,
            fix="connect to the network, or name the revision that the cache has",
        )
    label = f"{HUB}{name}{':' + config if config else ''}@{split or 'train'}"
    paths = [Path(entry["filename"]) for entry in table.cache_files]
    labels = [label] if len(paths) == 1 else [f"{label}/{i}" for i in range(len(paths))]
    facts = {"url": f"https://huggingface.co/datasets/{name}", "revision": commit or "not known"}
    return Table(list(zip(paths, labels, strict=True)), _licence(table, name, commit or None), facts)


def _wanted(name: str, revision: str) -> str:
    """The commit that a tag or branch means: the hub's word, or what its cache remembers."""
    from huggingface_hub import HfApi, constants
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled

    if re.fullmatch(r"[0-9a-f]{40}", revision):
        return revision
    try:
        return str(HfApi().dataset_info(name, revision=revision).sha)
    except (OSError, HfHubHTTPError, HFValidationError, OfflineModeIsEnabled) as error:
        known = Path(constants.HF_HUB_CACHE) / f"datasets--{name.replace('/', '--')}" / "refs" / revision
        if known.is_file():
            return known.read_text(encoding="utf-8").strip()
        raise DataError(
            f"which commit the revision {revision!r} of {name!r} is cannot be found out",
            where=f"{HUB}{name}",
            fix="check its name and the network, or give the commit itself",
        ) from error


def _commit(table: Any) -> str:
    """The commit that the rows are of, from where they were fetched, or lie in the cache."""
    places = [
        *(table.info.download_checksums or {}),
        *(Path(each["filename"]).as_posix() for each in table.cache_files),
    ]
    return next((found[1] for place in places if (found := _COMMIT.search(place))), "")


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
