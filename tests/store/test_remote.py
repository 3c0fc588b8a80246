"""Push and pull between stores: verified, resumable, and refs never lose a move."""

from __future__ import annotations

import multiprocessing
import os
import signal
from pathlib import Path

import pytest

from tuneloop.errors import StoreError
from tuneloop.store import Dataset, Model, Store
from tuneloop.store.forgotten import Act
from tuneloop.store.lineage import ancestors
from tuneloop.store.remote import transfer


def sealed(store: Store, kind: type, key: str, parents: dict[str, str] | None = None, size: int = 1000) -> str:
    with store.draft() as folder:
        (folder / "a.bin").write_bytes(key.encode() * size)
        (folder / "deep").mkdir()
        (folder / "deep" / "b.txt").write_text(key)
        return store.seal(kind, folder, parents=parents or {}, key=key, facts={"key": key}).id


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A store with a dataset, a model made from it, and the refs of a recipe."""
    store = Store(tmp_path / "here")
    dataset = sealed(store, Dataset, "rows")
    model = sealed(store, Model, "weights", {"dataset": dataset})
    store.refs.move("faq/dataset", dataset, why="prepare")
    store.refs.move("faq/model", model, why="train")
    return store


def test_what_is_pushed_is_the_same_there_with_its_ancestors_and_its_history(store: Store, tmp_path: Path) -> None:
    there = Store(tmp_path / "there")
    sent = transfer(store, there, ["faq/model"])
    assert sent.copied == [manifest.id for manifest in store.artifacts()]
    assert there.refs.all() == {"faq/model": store.refs.all()["faq/model"]}
    assert list(there.refs.log("faq/model")) == list(store.refs.log("faq/model"))
    for manifest in store.artifacts():
        there.verify(manifest.id)
        assert there.open(manifest.id).manifest == manifest
    assert [m.id for m in ancestors(there, "faq/model")] == [m.id for m in ancestors(store, "faq/model")]
    assert not list((there.root / "incoming").iterdir())


def test_a_second_push_copies_and_moves_nothing(store: Store, tmp_path: Path) -> None:
    there = Store(tmp_path / "there")
    transfer(store, there)
    before = there.refs.path.read_bytes()
    sent = transfer(store, there)
    assert (sent.copied, sent.moved, sent.ahead, sent.size) == ([], {}, {}, 0)
    assert len(sent.present) == 2
    assert there.refs.path.read_bytes() == before


def test_a_recipe_s_name_means_its_refs_an_id_only_itself_and_only_leaves_out_ancestors(
    store: Store, tmp_path: Path
) -> None:
    store.refs.move("other/dataset", sealed(store, Dataset, "other"), why="prepare")
    assert set(transfer(store, Store(tmp_path / "1"), ["faq"]).moved) == {"faq/dataset", "faq/model"}
    model = store.refs.all()["faq/model"]
    sent = transfer(store, Store(tmp_path / "2"), [model], only=True)
    assert (sent.copied, sent.moved) == ([model], {})
    with pytest.raises(StoreError, match="nothing is called"):
        transfer(store, Store(tmp_path / "3"), ["nonsense"])


def test_pull_brings_everything_into_an_empty_store(store: Store, tmp_path: Path) -> None:
    remote, other = Store(tmp_path / "remote"), Store(tmp_path / "other")
    transfer(store, remote)
    transfer(remote, other)
    assert other.refs.all() == store.refs.all()
    assert other.find(Model, "weights") is not None


def _push_until_killed(here: Path, there: Path, after: int) -> None:
    def told(done: int, total: int) -> None:
        if done >= after:
            os.kill(os.getpid(), signal.SIGKILL)

    transfer(Store(here), Store(there), told=told)


@pytest.mark.parametrize("after", [1, 5_000_000, 9_000_000, 12_000_005])
def test_a_push_that_is_killed_leaves_the_remote_sound_and_goes_on_from_there(tmp_path: Path, after: int) -> None:
    store = Store(tmp_path / "here")
    dataset = sealed(store, Dataset, "rows", size=100)
    model = sealed(store, Model, "big", {"dataset": dataset}, size=4_000_000)
    store.refs.move("faq/model", model, why="train")
    child = multiprocessing.get_context("spawn").Process(
        target=_push_until_killed, args=(store.root, tmp_path / "there", after)
    )
    child.start()
    child.join(60)
    assert child.exitcode == -signal.SIGKILL
    there = Store(tmp_path / "there")
    assert there.refs.all() == {}
    for manifest in there.artifacts():
        there.verify(manifest.id)
    left = there.root / "incoming" / model / "a.bin"
    if after == 9_000_000:
        stamp = left.stat().st_ino
        assert left.stat().st_size >= 4 * 1024**2
    sent = transfer(store, there)
    assert model in sent.copied
    there.verify(model)
    if after == 9_000_000:
        assert (there.root / "artifacts" / model / "a.bin").stat().st_ino == stamp  # gone on with, not begun anew
    assert there.refs.all() == store.refs.all()


def test_two_pushes_of_the_same_do_not_meet(store: Store, tmp_path: Path) -> None:
    there = Store(tmp_path / "there")

    def told(done: int, total: int) -> None:
        with pytest.raises(StoreError, match="another process"):
            transfer(store, there)

    transfer(store, there, told=told)
    assert len(there.artifacts()) == 2


@pytest.mark.parametrize("harm", ["flip", "cut", "remove", "add", "manifest"])
def test_damage_at_the_remote_is_found_by_pull_and_mended_by_push(store: Store, tmp_path: Path, harm: str) -> None:
    remote = Store(tmp_path / "remote")
    transfer(store, remote)
    model = store.refs.all()["faq/model"]
    file = remote.root / "artifacts" / model / "a.bin"
    if harm == "flip":
        file.write_bytes(b"W" + file.read_bytes()[1:])
    elif harm == "cut":
        file.write_bytes(file.read_bytes()[:-1])
    elif harm == "remove":
        file.unlink()
    elif harm == "add":
        (file.parent / "more.txt").write_text("?")
    else:
        (file.parent / "manifest.json").write_text("{")
    if harm != "add":  # what the manifest does not name is not copied
        other = Store(tmp_path / "other")
        with pytest.raises(StoreError) as caught:
            transfer(remote, other, ["faq/model"])
        assert "restore" in caught.value.problems[0].fix
        assert other.refs.all() == {}
        assert [manifest.kind for manifest in other.artifacts()] in ([], ["dataset"])
    assert transfer(store, remote, verify=True).mended == [model]
    remote.verify(model)
    assert not transfer(store, remote, verify=True).mended


def test_a_damaged_artifact_is_not_spread(store: Store, tmp_path: Path) -> None:
    file = store.root / "artifacts" / store.refs.all()["faq/dataset"] / "deep" / "b.txt"
    file.write_text("swor")
    there = Store(tmp_path / "there")
    with pytest.raises(StoreError, match="has changed"):
        transfer(store, there)
    assert there.artifacts() == []
    assert there.refs.all() == {}


def test_refs_go_forward_only_and_parted_ones_are_told_before_anything_is_copied(store: Store, tmp_path: Path) -> None:
    remote, other = Store(tmp_path / "remote"), Store(tmp_path / "other")
    transfer(store, remote)
    transfer(remote, other)
    newer = sealed(store, Dataset, "newer")
    store.refs.move("faq/dataset", newer, why="prepare")
    assert transfer(remote, store).ahead == {"faq/dataset": newer}  # behind us: nothing moves back
    assert transfer(store, remote).moved == {"faq/dataset": newer}

    theirs = sealed(other, Dataset, "theirs")
    other.refs.move("faq/dataset", theirs, why="prepare")
    with pytest.raises(StoreError, match="faq/dataset was moved on both sides"):
        transfer(other, remote)
    assert theirs not in [manifest.id for manifest in remote.artifacts()]
    with pytest.raises(StoreError, match="moved on both sides"):
        transfer(remote, other)

    assert transfer(other, remote, force=True).moved == {"faq/dataset": theirs}
    assert remote.refs.all()["faq/dataset"] == theirs
    assert newer in [move.id for move in remote.refs.log("faq/dataset")]
    assert transfer(remote, store).moved == {"faq/dataset": theirs}  # what was forced is no longer parted
    assert transfer(other, remote).moved == {}


def test_a_rollback_travels_as_the_move_it_is(store: Store, tmp_path: Path) -> None:
    there = Store(tmp_path / "there")
    first = store.refs.all()["faq/dataset"]
    store.refs.move("faq/dataset", sealed(store, Dataset, "newer"), why="prepare")
    transfer(store, there)
    store.refs.rollback("faq/dataset")
    transfer(store, there)
    assert there.refs.all()["faq/dataset"] == first
    assert len(list(there.refs.log("faq/dataset"))) == 3


def test_what_was_forgotten_is_not_carried_and_the_acts_are(store: Store, tmp_path: Path) -> None:
    there = Store(tmp_path / "there")
    transfer(store, there)
    dataset = store.refs.all()["faq/dataset"]
    store.forgotten.note(Act("forget-1", 1.0, "ann", "request", "salt", (), held={dataset: "holds 1"}))
    with pytest.raises(StoreError, match="forgotten on request"):
        transfer(there, Store(store.root), ["faq/dataset"], verify=True)
    with pytest.raises(StoreError, match="forgotten on request"):
        transfer(store, there)
    store.refs.move("faq/dataset", sealed(store, Dataset, "clean"), why="forget-1")
    transfer(store, there, ["faq/dataset"])
    assert [act.id for act in there.forgotten.acts()] == ["forget-1"]
    assert there.find(Dataset, "rows") is None  # still there, but nobody is given it any more
