"""The part that CONTRIBUTING.md writes works as an installed package's part, and its tables name every family."""

import importlib
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest

import tuneloop
from tuneloop.recipe.explain import explain
from tuneloop.recipe.written import parse

PAGE = (Path(__file__).parents[2] / "CONTRIBUTING.md").read_text(encoding="utf-8")
SOURCE = Path(tuneloop.__file__).parent


def block(language: str) -> str:
    """The only block of a language on the page."""
    (found,) = re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    return str(found)


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The example as an installed package, by the entry point that the page gives."""
    ((group, points),) = tomllib.loads(block("toml"))["project"]["entry-points"].items()
    ((name, target),) = points.items()
    module = tmp_path.joinpath(*target.partition(":")[0].split(".")).with_suffix(".py")
    module.parent.mkdir()
    module.write_text(block("python"), encoding="utf-8")
    info = tmp_path / "my_parts-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-parts\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{group}]\n{name} = {target}\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    metadata.MetadataPathFinder().invalidate_caches()
    yield
    for loaded in [loaded for loaded in sys.modules if loaded.partition(".")[0] == "my_parts"]:
        del sys.modules[loaded]


@pytest.mark.usefixtures("installed")
def test_the_example_part_sets_rows_aside_with_its_reason(tmp_path: Path) -> None:
    rows = [{"question": f"Question {n}?", "answer": "It is a SECRET." if n < 3 else f"Answer {n}."} for n in range(20)]
    (tmp_path / "rows.jsonl").write_text("\n".join(str(row).replace("'", '"') for row in rows), encoding="utf-8")
    values = {**parse(block("yaml"), "CONTRIBUTING.md").value, "model": {"base": "embedded"}}
    dataset = tuneloop.prepare(tuneloop.load(values).at(tmp_path), tuneloop.Store(tmp_path / "store"))
    dropped = [(drop.step, drop.reason, drop.origin) for drop in dataset.dropped()]
    assert dropped == [("forbidden", "has the word secret", f"rows.jsonl:{n}") for n in (1, 2, 3)]
    assert sum(len(list(dataset.records(split))) for split in dataset.splits) == 17


@pytest.mark.usefixtures("installed")
def test_the_example_part_explains_itself() -> None:
    assert explain("data.transforms.forbidden.words").help == "What must not occur."


def test_the_table_names_every_family() -> None:
    told = set(re.findall(r"^\| `tuneloop\.([\w.]+)` \|", PAGE, re.MULTILINE))
    bases = [
        path for path in SOURCE.rglob("__init__.py") if re.search(r"^class \w+\(Part, ABC\)", path.read_text(), re.M)
    ]
    assert told == {".".join(path.parent.relative_to(SOURCE).parts) for path in bases}
