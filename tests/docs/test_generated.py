"""The generated reference pages say what the classes say."""

import importlib.util
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
assert spec is not None and spec.loader is not None
generate = importlib.util.module_from_spec(spec)
spec.loader.exec_module(generate)
PAGES = generate.pages()


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(DOCS)))
def test_a_generated_page_is_up_to_date(path: Path) -> None:
    assert path.exists() and path.read_text(encoding="utf-8") == PAGES[path], "run: python docs/generate.py"


def test_every_section_and_family_has_its_page() -> None:
    text = PAGES[DOCS / "recipe.md"]
    assert all(f"## {name}\n" in text for name in ("data", "model", "train", "monitor", "evaluate", "export", "serve"))
    assert {path.stem for path in PAGES} >= {"adapters", "optimizers", "schedules", "transforms", "metrics", "tasks"}


def test_check_names_a_page_that_is_out_of_date_and_writes_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    page = tmp_path / "recipe.md"
    page.write_text("old", encoding="utf-8")
    monkeypatch.setattr(generate, "HERE", tmp_path)
    monkeypatch.setattr(generate, "pages", lambda: {page: "new"})
    monkeypatch.setattr("sys.argv", ["generate.py", "--check"])
    with pytest.raises(SystemExit, match=r"recipe\.md"):
        generate.main()
    assert page.read_text(encoding="utf-8") == "old"
    monkeypatch.setattr("sys.argv", ["generate.py"])
    generate.main()
    assert generate.stale() == []
