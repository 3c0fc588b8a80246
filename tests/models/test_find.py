"""Bases are found, their files checked, and their digest follows from their files."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file

from tuneloop import embedded
from tuneloop.errors import ModelError
from tuneloop.models.find import find_base, needed_files
from tuneloop.models.section import ModelSection
from tuneloop.store import Store
from tuneloop.store.digest import of_file


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def folder(tiny_model: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_model, tmp_path / "base"))


def find(store: Store, base: str, folder: Path = Path(), **options: Any) -> Any:
    return find_base(ModelSection(base=base, **options), folder=folder, store=store)


def test_a_folder_is_found_from_the_recipes_folder(folder: Path, store: Store) -> None:
    base = find(store, "base", folder.parent)
    assert base.folder == folder.resolve()
    assert base.name == "base"


def test_the_embedded_base_is_found_by_its_name(store: Store) -> None:
    if not (embedded.base() / "model.safetensors").is_file():
        pytest.skip("the embedded base is not built yet")
    assert find(store, "embedded").folder == embedded.base()


def test_the_digest_follows_from_the_files_and_the_template(folder: Path, store: Store) -> None:
    first = find(store, str(folder)).digest
    assert find(store, str(folder)).digest == first
    (folder.parent / "own.jinja").write_text("{{ messages }}")
    assert find(store, str(folder), folder.parent, chat_template="own.jinja").digest != first
    weights = load_file(folder / "model.safetensors")
    weights["model.norm.weight"] += 1
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    assert find(store, str(folder)).digest != first


def test_large_files_are_hashed_once(folder: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "model.safetensors").write_bytes(bytes(1_500_000))
    first = find(store, str(folder)).digest
    read: list[str] = []
    monkeypatch.setattr("tuneloop.models.find.of_file", lambda path: read.append(path.name) or of_file(path))
    assert find(store, str(folder)).digest == first
    assert "model.safetensors" not in read
    (folder / "model.safetensors").write_bytes(bytes(1_500_001))
    assert find(store, str(folder)).digest != first


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json"])
def test_a_missing_file_is_named(folder: Path, store: Store, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(ModelError, match=name):
        find(store, str(folder))


def test_all_missing_files_are_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"config\.json, tokenizer\.json, model\.safetensors"):
        needed_files(tmp_path)


def test_a_missing_shard_is_named(folder: Path, store: Store) -> None:
    (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
    index = {"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(ModelError, match="model-00002-of-00002"):
        find(store, str(folder))


def test_pickled_weights_are_refused_with_the_way_to_convert_them(folder: Path, store: Store) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(b"pickle")
    with pytest.raises(ModelError) as caught:
        find(store, str(folder))
    assert "convert" in caught.value.problems[0].fix
    assert "pytorch_model.bin" in caught.value.problems[0].fix


def test_random_weights_need_no_weights(folder: Path, store: Store) -> None:
    (folder / "model.safetensors").unlink()
    assert find(store, str(folder), init="random").folder == folder.resolve()


@pytest.mark.parametrize(("content", "said"), [("{", "not a JSON object"), ("{}", "model_type")])
def test_a_bad_configuration_is_named(folder: Path, store: Store, content: str, said: str) -> None:
    (folder / "config.json").write_text(content)
    with pytest.raises(ModelError, match=said):
        find(store, str(folder))


def test_a_name_that_means_nothing_says_all_that_was_tried(store: Store) -> None:
    with pytest.raises(ModelError, match=r"no folder here, not in the store .* cannot be fetched"):
        find(store, "nobody/nothing-here")


def test_a_path_that_is_not_there_is_not_taken_for_a_name(store: Store) -> None:
    with pytest.raises(ModelError, match="there is no base model"):
        find(store, "./not/there")


def test_a_missing_template_file_is_named(folder: Path, store: Store) -> None:
    with pytest.raises(ModelError, match="chat template cannot be read"):
        find(store, str(folder), chat_template="nowhere.jinja")
