"""A disk that is full or closed is told in one way, whichever library met it."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from safetensors import SafetensorError

from tuneloop.errors import DataError, StoreError
from tuneloop.store import Store
from tuneloop.store.disk import writing

FULL = "No space left on device"


@pytest.mark.parametrize(
    "met",
    [
        OSError(errno.ENOSPC, FULL),
        SafetensorError(f"Error while serializing: I/O error: {FULL} (os error {errno.ENOSPC})"),
        Exception(f"{FULL} (os error {errno.ENOSPC})"),  # as tokenizers says it
    ],
    ids=["system", "safetensors", "tokenizers"],
)
def test_a_full_disk_is_told_with_a_fix_and_leaves_no_draft(tmp_path: Path, met: Exception) -> None:
    store = Store(tmp_path / "store")
    with pytest.raises(StoreError, match=FULL) as caught, store.draft():
        raise met
    assert "free some space" in caught.value.problems[0].fix
    assert not list((store.root / "drafts").iterdir())


@pytest.mark.parametrize("other", [ValueError("no"), OSError("transformers knows no such model"), Exception("no")])
def test_what_is_not_the_disks_fault_stays_as_it_is(tmp_path: Path, other: Exception) -> None:
    with pytest.raises(type(other)) as caught, writing(tmp_path):
        raise other
    assert caught.value is other


def test_an_error_that_is_clear_already_stays_as_it_is(tmp_path: Path) -> None:
    clear = DataError("cannot be read (os error 28)", where="x", fix="y")
    with pytest.raises(DataError) as caught, writing(tmp_path):
        raise clear
    assert caught.value is clear


def test_a_folder_that_is_not_there_is_told_as_such(tmp_path: Path) -> None:
    with pytest.raises(StoreError) as caught, writing(tmp_path / "none" / "x"):
        (tmp_path / "none" / "x").write_text("x")
    assert "make the folder" in caught.value.problems[0].fix


def test_work_that_cannot_be_kept_is_told(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    (store.root / "work").rmdir()
    (store.root / "work").write_text("in the way")
    with pytest.raises(StoreError, match="cannot write"), store.work("k" * 40):
        pass
