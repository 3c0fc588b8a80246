"""Names in any script; what is told of a name that nothing has, or whose files are elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from tuneloop.errors import StoreError
from tuneloop.store import Dataset, Store, versions
from tuneloop.store.naming import is_name


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def put(store: Store, text: str) -> Dataset:
    with store.draft() as folder:
        (folder / "x.txt").write_text(text)
        return store.seal(Dataset, folder, parents={}, key=text, facts={})


@pytest.mark.parametrize("name", ["客服助手", "naïve-2", "हिंदी", "a.b_c"])
def test_letters_of_any_script_make_names_and_refs(store: Store, name: str) -> None:
    assert is_name(name)
    made = put(store, name)
    store.refs.move(f"{name}/dataset", made.id, why="test")
    assert store.get(Dataset, name).id == made.id


@pytest.mark.parametrize("name", ["", "..", "a/b", "a b", "-a", "cafe\u0301", "a\u202eb", "a\0", "客：服"])
def test_what_is_unsafe_or_not_composed_is_no_name(name: str) -> None:
    assert not is_name(name)


def test_a_name_whose_letters_are_taken_apart_is_found(store: Store) -> None:
    made = put(store, "x")
    store.refs.move("café/dataset", made.id, why="test")
    assert store.resolve("cafe\u0301/dataset") == made.id


def test_a_recipe_name_means_its_dataset_where_one_is_wanted_and_else_its_refs_are_listed(store: Store) -> None:
    made = put(store, "x")
    store.refs.move("kefu/dataset", made.id, why="test")
    assert store.get(Dataset, "kefu").id == made.id
    for name, fix in {
        "kefu": "name one of its refs: kefu/dataset",
        "kefo": "did you mean kefu",
        "kefu/datset": "did you mean kefu/dataset",
        "kefu/challenger": "tuneloop run RECIPE",
    }.items():
        with pytest.raises(StoreError) as caught:
            store.open(name)
        assert fix in caught.value.problems[0].fix


def test_a_version_whose_files_are_elsewhere_is_told_so(store: Store) -> None:
    store.refs.move("kefu/dataset", "dataset-0123456789", why="pulled")
    here = put(store, "x")
    store.refs.move("kefu/dataset", here.id, why="prepare")
    first, second = versions.history(store, "kefu")
    assert first.note == "not in this store"
    assert second.dataset is not None
    assert (second.dataset.id, second.before) == (here.id, None)
    with pytest.raises(StoreError, match="not in this store"):
        store.open("dataset-0123456789")
