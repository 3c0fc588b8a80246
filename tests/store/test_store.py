"""Artifacts are named by their content, sealed whole, and found again."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneloop.errors import StoreError
from tuneloop.store import Dataset, Model, Report, Store, lineage
from tuneloop.store.artifact import identify
from tuneloop.store.digest import FileEntry
from tuneloop.store.gc import collect, unreachable


def put(store: Store, text: str = "hello", kind: type = Report, **parents: str):
    with store.draft() as folder:
        (folder / "note.txt").write_text(text)
        (folder / "deep").mkdir()
        (folder / "deep" / "more.txt").write_text("more")
        return store.seal(kind, folder, parents=parents, key=f"key-{text}", facts={"text": text})


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def test_the_same_content_gets_the_same_id_and_is_kept_once(store: Store) -> None:
    first, second = put(store), put(store)
    assert first.id == second.id
    assert len(store.artifacts()) == 1
    assert put(store, "other").id != first.id


def test_parents_are_part_of_the_id(store: Store) -> None:
    parent = put(store, "parent", Dataset)
    assert put(store, "x").id != put(store, "x", dataset=parent.id).id


def test_a_key_finds_what_was_made_with_it(store: Store) -> None:
    made = put(store)
    found = store.find(Report, "key-hello")
    assert found is not None and found.id == made.id
    assert store.find(Report, "key-other") is None
    assert store.find(Dataset, "key-hello") is None


def test_names_are_refs_ids_beginnings_of_ids_and_ends_of_refs(store: Store) -> None:
    made = put(store)
    store.refs.move("faq/champion", made.id, why="test")
    for name in ("faq/champion", "champion", made.id, made.id[:-4], made.id.split("-")[1][:8]):
        assert store.resolve(name) == made.id
    with pytest.raises(StoreError, match="nothing is called"):
        store.resolve("nobody")
    other = put(store, "other")
    store.refs.move("chat/champion", other.id, why="test")
    with pytest.raises(StoreError, match="more than one") as error:
        store.resolve("champion")
    assert "chat/champion, faq/champion" in str(error.value)


def test_a_name_never_leads_out_of_the_store(store: Store, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "manifest.json").write_text("{}")
    for name in ("../../outside", str(outside), ".", ""):
        with pytest.raises(StoreError):
            store.open(name)


def test_an_artifact_of_another_kind_is_refused(store: Store) -> None:
    made = put(store)
    with pytest.raises(StoreError, match="not a model"):
        store.get(Model, made.id)


@pytest.mark.parametrize("harm", ["change", "cut", "delete", "add", "manifest"])
def test_damage_is_found(store: Store, harm: str) -> None:
    made = put(store)
    store.verify(made.id)
    note = made.folder / "note.txt"
    if harm == "change":
        note.write_text("hellO")
    elif harm == "cut":
        note.write_text("hell")
    elif harm == "delete":
        note.unlink()
    elif harm == "add":
        (made.folder / "extra.txt").write_text("x")
    else:
        (made.folder / "manifest.json").write_text("{not json")
    with pytest.raises(StoreError) as caught:
        store.verify(made.id)
    assert "restore" in caught.value.problems[0].fix


def test_files_can_be_read_by_others(store: Store) -> None:
    with store.draft() as folder:
        (folder / "weights").write_text("x")
        (folder / "weights").chmod(0o600)
        made = store.seal(Report, folder, parents={}, key="k", facts={})
    assert (made.folder / "weights").stat().st_mode & 0o777 == 0o644


def test_a_draft_that_is_not_sealed_leaves_nothing(store: Store) -> None:
    with pytest.raises(ZeroDivisionError), store.draft() as folder:
        (folder / "x").write_text("x")
        _ = 1 / 0
    assert list((store.root / "drafts").iterdir()) == []
    assert store.artifacts() == []


WRITER = """
    import os, sys
    from tuneloop.store import Store, Report
    limit, count = int(sys.argv[2]), 0
    def counted(function):
        def call(*args, **kwargs):
            global count
            count += 1
            if count == limit:
                os.kill(os.getpid(), 9)
            return function(*args, **kwargs)
        return call
    store = Store(sys.argv[1])
    for name in ("rename", "fsync", "open", "close", "replace", "write", "chmod"):
        setattr(os, name, counted(getattr(os, name)))
    with store.draft() as folder:
        (folder / "a").write_text("a" * 1000)
        (folder / "b").write_text("b" * 1000)
        made = store.seal(Report, folder, parents={}, key="k", facts={})
    store.refs.move("x/report", made.id, why="test")
    print("done")
"""


def test_a_kill_before_any_system_call_leaves_the_old_state_or_the_new(tmp_path: Path) -> None:
    """The child is killed before its n-th call, n = 1, 2, ... until it gets through."""
    script = tmp_path / "writer.py"
    script.write_text(textwrap.dedent(WRITER))
    outcomes = set()
    for limit in range(1, 200):
        root = tmp_path / f"store{limit}"
        done = subprocess.run([sys.executable, str(script), str(root), str(limit)], capture_output=True, text=True)
        store = Store(root)
        manifests = store.artifacts()
        for manifest in manifests:
            store.verify(manifest.id)
        refs = store.refs.all()
        assert set(refs.values()) <= {manifest.id for manifest in manifests}
        outcomes.add((len(manifests), len(refs)))
        if "done" in done.stdout:
            break
    else:
        pytest.fail("the writer never got through")
    assert outcomes == {(0, 0), (1, 0), (1, 1)}


def test_every_failing_write_is_one_clear_error_and_leaves_nothing_half(store: Store, monkeypatch) -> None:
    for code, word in ((errno.ENOSPC, "free some space"), (errno.EACCES, "permission"), (errno.EIO, "check the disk")):
        for name in ("fsync", "rename"):
            with monkeypatch.context() as patch:

                def fail(*args: object, code: int = code) -> None:
                    raise OSError(code, os.strerror(code))

                patch.setattr(os, name, fail)
                with pytest.raises(StoreError) as caught:
                    put(store, f"{code}-{name}")
            assert word in caught.value.problems[0].fix
            assert store.artifacts() == []


def test_a_store_that_cannot_be_made_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError) as caught:
        Store(tmp_path / "file" / "store")
    assert caught.value.problems[0].fix


def test_lineage_goes_both_ways(store: Store) -> None:
    data = put(store, "data", Dataset)
    model = put(store, "model", Model, dataset=data.id)
    report = put(store, "report", Report, model=model.id, dataset=data.id)
    assert [m.id for m in lineage.ancestors(store, report.id)] == [report.id, model.id, data.id]
    assert {m.id for m in lineage.descendants(store, data.id)} == {report.id, model.id, data.id}


def test_gc_never_removes_what_a_ref_reaches_now_or_reached_lately(store: Store) -> None:
    data = put(store, "data", Dataset)
    models = [put(store, f"model{i}", Model, dataset=data.id) for i in range(6)]
    loose = put(store, "loose")
    for model in models:
        store.refs.move("faq/champion", model.id, why="test")
    assert set(unreachable(store, history=3)) == {loose.id, models[0].id, models[1].id}
    assert set(collect(store, history=3, dry=True)) == {loose.id, models[0].id, models[1].id}
    assert len(store.artifacts()) == 8
    collect(store, history=3)
    left = {manifest.id for manifest in store.artifacts()}
    assert left == {data.id, *(model.id for model in models[2:])}
    store.refs.rollback("faq/champion")
    store.verify("faq/champion")


def test_gc_waits_for_work_whose_inputs_no_ref_reaches_yet(store: Store) -> None:
    made = put(store)
    with store.work("k" * 40):
        assert collect(store, dry=True) == [made.id]
        with pytest.raises(StoreError, match="training is going on"):
            collect(store)
    assert collect(store) == [made.id]


def test_only_one_process_can_hold_a_piece_of_work(store: Store) -> None:
    with store.work("k" * 64) as folder:
        (folder / "state").write_text("1")
        with pytest.raises(StoreError, match="another process"), store.work("k" * 64):
            pass
    with store.work("k" * 64) as again:
        assert (again / "state").read_text() == "1"


names = st.text("abcdef/.", min_size=1, max_size=8)


@given(st.dictionaries(names, st.text("0123456789abcdef", min_size=4, max_size=8)), st.dictionaries(names, names))
def test_the_id_does_not_depend_on_the_order_of_files_or_parents(
    files: dict[str, str], parents: dict[str, str]
) -> None:
    entries = {name: FileEntry(1, sha) for name, sha in files.items()}
    turned = dict(reversed(entries.items()))
    assert identify("x", parents, entries) == identify("x", dict(reversed(parents.items())), turned)
