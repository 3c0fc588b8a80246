"""Push and pull through real DVC and Git: a bare repository and a folder as remote, two people, and what goes wrong."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tuneloop.errors import MissingPackage, StoreError
from tuneloop.store import Dataset, Model, Store, dvc
from tuneloop.store.lineage import ancestors


def sealed(store: Store, kind: type, key: str, parents: dict[str, str] | None = None) -> str:
    with store.draft() as folder:
        (folder / "a.txt").write_text(key * 100)
        return store.seal(kind, folder, parents=parents or {}, key=key, facts={}).id


def run(folder: Path, *words: str) -> str:
    program = Path(sys.executable).with_name("dvc")
    known = str(program) if words[0] == "dvc" and program.exists() else words[0]
    done = subprocess.run(
        [known, *words[1:]], cwd=folder, env=os.environ | dvc.QUIET, capture_output=True, text=True, check=True
    )
    return done.stdout


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Git work tree with DVC, a folder as DVC's remote, and a bare repository that its branch follows."""
    for name in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{name}_NAME", "ann")
        monkeypatch.setenv(f"GIT_{name}_EMAIL", "ann@example.com")
    (tmp_path / "carried").mkdir()
    run(tmp_path, "git", "init", "--quiet", "--bare", "--initial-branch=main", "bare.git")
    run(tmp_path, "git", "clone", "--quiet", "bare.git", "ann")
    tree = tmp_path / "ann"
    run(tree, "git", "checkout", "--quiet", "-B", "main")
    run(tree, "dvc", "init", "--quiet")
    run(tree, "dvc", "remote", "add", "--quiet", "--default", "carried", str(tmp_path / "carried"))
    run(tree, "git", "add", ".dvc", ".dvcignore")
    run(tree, "git", "commit", "--quiet", "--message", "dvc")
    run(tree, "git", "push", "--quiet", "--set-upstream", "origin", "main")
    return tree


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A store with a dataset, a model made from it, and the refs of a recipe."""
    store = Store(tmp_path / "store")
    dataset = sealed(store, Dataset, "rows")
    store.refs.move("faq/dataset", dataset, why="prepare")
    store.refs.move("faq/model", sealed(store, Model, "weights", {"dataset": dataset}), why="train")
    return store


@pytest.mark.slow
def test_what_is_pushed_by_one_is_pulled_by_another_through_git_and_dvc(
    store: Store, tree: Path, tmp_path: Path
) -> None:
    sent = dvc.push(store, tree)
    assert sent.copied == [manifest.id for manifest in store.artifacts()]
    assert sent.moved == store.refs.all()
    kept = run(tree, "git", "ls-files", "tuneloop").split()
    assert sorted(Path(name).name for name in kept if name.endswith(".dvc")) == sorted(
        f"{id}.dvc" for id in sent.copied
    )
    assert not [name for name in kept if name.endswith("a.txt")]
    assert run(tree, "git", "status", "--porcelain") == ""
    assert list((tmp_path / "carried").rglob("*"))

    commits = run(tree, "git", "log", "--oneline")
    again = dvc.push(store, tree)
    assert (again.copied, again.moved) == ([], {})
    assert run(tree, "git", "log", "--oneline") == commits

    run(tmp_path, "git", "clone", "--quiet", "bare.git", "bob")
    theirs = Store(tmp_path / "theirs")
    got = dvc.pull(theirs, tmp_path / "bob", ["model"])
    assert got.moved == {"faq/model": store.refs.all()["faq/model"]}
    assert [m.id for m in ancestors(theirs, "faq/model")] == [m.id for m in ancestors(store, "faq/model")]
    for manifest in theirs.artifacts():
        theirs.verify(manifest.id)

    newer = sealed(theirs, Dataset, "newer")
    theirs.refs.move("faq/dataset", newer, why="prepare")
    with pytest.raises(StoreError, match="moved on both sides"):
        dvc.push(theirs, tmp_path / "bob")
    dvc.push(theirs, tmp_path / "bob", force=True)
    assert dvc.pull(store, tree).moved == {"faq/dataset": newer}


@pytest.mark.slow
def test_files_that_are_not_at_the_remote_are_named_and_the_store_is_left_as_it_was(
    store: Store, tree: Path, tmp_path: Path
) -> None:
    dvc.push(store, tree)
    run(tmp_path, "git", "clone", "--quiet", "bare.git", "bob")
    shutil.rmtree(tmp_path / "carried")
    (tmp_path / "carried").mkdir()
    theirs = Store(tmp_path / "theirs")
    with pytest.raises(StoreError) as caught:
        dvc.pull(theirs, tmp_path / "bob", ["faq/dataset"])
    assert store.refs.all()["faq/dataset"] in caught.value.problems[0].what
    assert theirs.artifacts() == []
    assert theirs.refs.all() == {}


@pytest.mark.slow
def test_refs_are_not_committed_before_the_files_are_at_the_remote(store: Store, tree: Path, tmp_path: Path) -> None:
    (tmp_path / "carried").rmdir()
    (tmp_path / "carried").write_text("no folder")
    with pytest.raises(StoreError, match="dvc push failed"):
        dvc.push(store, tree)
    assert "tuneloop" not in run(tree, "git", "ls-tree", "--name-only", "HEAD")
    (tmp_path / "carried").unlink()
    (tmp_path / "carried").mkdir()
    assert dvc.push(store, tree).moved == store.refs.all()


def test_a_missing_command_is_said_with_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingPackage) as caught:
        dvc._found("dvc")
    assert caught.value.problems[0].fix == "pip install 'tuneloop[dvc]'"


def test_only_a_folder_with_dvc_is_taken_for_a_work_tree(tmp_path: Path) -> None:
    assert not dvc.is_work_tree(tmp_path)
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc" / "config").touch()
    assert dvc.is_work_tree(tmp_path)
