"""The house keeps its own rules: small files, one-way imports, errors with a fix, nothing heavy at the door."""

from __future__ import annotations

import ast
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "tuneloop"
FILES = sorted(SOURCE.rglob("*.py"))
ERRORS = {
    "TuneloopError",
    "RecipeError",
    "RecordError",
    "DataError",
    "StoreError",
    "ModelError",
    "TrainingError",
    "ServeError",
    "MissingPackage",
    "Problem",
}


def trees() -> Iterator[tuple[Path, ast.Module]]:
    for path in FILES:
        yield path, ast.parse(path.read_text(encoding="utf-8"))


def test_files_are_short() -> None:
    sizes = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in FILES}
    assert {str(path): size for path, size in sizes.items() if size > 400} == {}
    assert statistics.median(sizes.values()) <= 120


def test_functions_are_short() -> None:
    long = [
        f"{path.relative_to(SOURCE)}:{node.lineno} {node.name} has {node.end_lineno - node.lineno + 1} lines"
        for path, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.end_lineno - node.lineno + 1 > 60
    ]
    assert long == []


def test_every_error_a_user_can_meet_carries_a_fix() -> None:
    bare = []
    for path, tree in trees():
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            if name not in ERRORS or path.name == "errors.py":
                continue
            given = {word.arg: word.value for word in node.keywords}
            fix = given.get("fix") or (node.args[2] if name == "Problem" and len(node.args) > 2 else None)
            if fix is None or (isinstance(fix, ast.Constant) and not str(fix.value).strip()):
                bare.append(f"{path.relative_to(SOURCE)}:{node.lineno} {name}")
    assert bare == []


def test_nothing_dangerous_is_called() -> None:
    found = []
    for path, tree in trees():
        if str(path).endswith(("data/parallel.py", "data/clusters/ray.py")):  # between a process and its own workers
            continue
        for node in ast.walk(tree):
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                names = [a.name for a in node.names] + [getattr(node, "module", None) or ""]
                found += [
                    f"{path}:{node.lineno} imports {n}" for n in names if n in ("pickle", "shelve", "marshal", "dill")
                ]
            if isinstance(node, ast.Call):
                text = ast.unparse(node.func)
                shell = any(
                    k.arg == "shell" and not (isinstance(k.value, ast.Constant) and k.value.value is False)
                    for k in node.keywords
                )
                if text in ("eval", "exec", "torch.load", "yaml.load", "os.system", "pickle.loads") or shell:
                    found.append(f"{path.relative_to(SOURCE)}:{node.lineno} {text}")
    assert found == []


def test_no_name_says_nothing() -> None:
    empty = {"core", "utils", "util", "common", "helpers", "base", "manager", "factory", "registry", "misc"}
    assert [str(path) for path in FILES if path.stem in empty or path.parent.name in empty] == []


def test_imports_go_one_way() -> None:
    lint = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([str(lint), "--no-cache"], cwd=SOURCE.parents[1], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("statement", "forbidden"),
    [
        ("import tuneloop", "pydantic yaml torch transformers rich msgspec"),
        ("import tuneloop.cli", "pydantic yaml torch transformers rich msgspec"),
        (
            "import tuneloop.store, tuneloop.store.lineage, tuneloop.rows.jsonl",
            "torch transformers peft pyarrow pydantic",
        ),
        ("import tuneloop.monitoring.history", "torch transformers peft"),
        (
            "import tuneloop; tuneloop.load({'data': {'sources': ['x.jsonl']}, 'model': {'base': 'y'}})",
            "torch transformers peft pyarrow datasets matplotlib fastapi",
        ),
    ],
)
def test_nothing_heavy_at_the_door(statement: str, forbidden: str) -> None:
    code = f"import sys; {statement}; print(*(n for n in {forbidden.split()!r} if n in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []


def test_the_public_face_is_what_it_says() -> None:
    import tuneloop

    inside = {path.stem for path in SOURCE.iterdir()}
    for name in tuneloop.__all__:
        assert getattr(tuneloop, name).__doc__, name
        assert name not in inside, f"importing the module {name} would hide the function of that name"
    with pytest.raises(AttributeError):
        _ = tuneloop.nothing
