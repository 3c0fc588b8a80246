"""Hugging Face datasets: commit and licence of the rows are known, and a pinned revision is the one that is read."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tuneloop.data.files import files
from tuneloop.data.hub import hub
from tuneloop.data.section import Source
from tuneloop.errors import DataError, MissingPackage
from tuneloop.store import Dataset

COMMIT, OTHER = "0123456789abcdef" * 2 + "01234567", "f" * 40


@pytest.fixture
def cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache as the hub's own libraries leave it, and no network."""
    import datasets
    from datasets.arrow_writer import ArrowWriter
    from huggingface_hub import constants

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "datasets")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    folder = tmp_path / "datasets" / "owner___faq" / "default" / "0.0.0" / COMMIT
    folder.mkdir(parents=True)
    rows = datasets.Dataset.from_list([{"question": f"what is {i}?", "answer": f"it is {i}"} for i in range(5)])
    with ArrowWriter(path=str(folder / "faq-train.arrow"), features=rows.features) as writer:
        for row in rows:
            writer.write(row)
        count, size = writer.finalize()
    split = {"name": "train", "num_examples": count, "num_bytes": size, "dataset_name": "faq"}
    info = datasets.DatasetInfo(
        features=rows.features,
        builder_name="parquet",
        dataset_name="faq",
        config_name="default",
        version="0.0.0",
        splits=datasets.SplitDict.from_split_dict([split]),
        download_checksums={f"hf://datasets/owner/faq@{COMMIT}/train.parquet": {"num_bytes": 1, "checksum": None}},
    )
    info.write_to_directory(str(folder))
    repository = tmp_path / "hub" / "datasets--owner--faq"
    (repository / "snapshots" / COMMIT).mkdir(parents=True)
    (repository / "snapshots" / COMMIT / "README.md").write_text("---\nlicense: cc-by-4.0\n---\n# Questions\n")
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(COMMIT)
    (repository / "refs" / "v2").write_text(OTHER)


@pytest.mark.usefixtures("cached")
def test_commit_and_licence_go_into_report_card_and_rows(make: Callable[..., Dataset]) -> None:
    dataset = make(sources=[{"path": "hf://owner/faq", "revision": "main"}])
    (source,) = dataset.report["sources"]
    assert source["licence"] == "cc-by-4.0" and source["revision"] == COMMIT
    assert source["url"] == "https://huggingface.co/datasets/owner/faq"
    records = list(dataset.records("train"))
    assert records[0].origin == "hf://owner/faq@train#1" and records[0].meta["licence"] == "cc-by-4.0"
    assert (
        f"| cc-by-4.0 | https://huggingface.co/datasets/owner/faq {COMMIT} |"
        in (dataset.folder / "card.md").read_text()
    )


@pytest.mark.usefixtures("cached")
@pytest.mark.parametrize("revision", [OTHER, "v2", "surely-none"])
def test_another_revision_than_the_cache_has_is_never_taken_for_it(revision: str) -> None:
    assert hub(Source(path="hf://owner/faq", revision=COMMIT)).facts["revision"] == COMMIT
    with pytest.raises(DataError, match="revision"):
        hub(Source(path="hf://owner/faq", revision=revision))


@pytest.mark.usefixtures("cached")
def test_what_the_recipe_states_comes_before_what_the_card_states(make: Callable[..., Dataset]) -> None:
    dataset = make(sources=[{"path": "hf://owner/faq", "licence": "bought"}])
    assert dataset.report["sources"][0]["licence"] == "bought"


def test_a_revision_of_a_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="revision"):
        files(Source(path="rows.jsonl", revision="main"), tmp_path)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(MissingPackage) as caught:
        hub(Source(path="hf://owner/faq"))
    assert caught.value.problems[0].fix == "pip install 'tuneloop[hub]'"
