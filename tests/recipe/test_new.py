"""The starter recipe loads, whatever the rows' file is called."""

from pathlib import Path

import pytest

from tuneloop.recipe import load
from tuneloop.recipe.new import named, starter


@pytest.mark.parametrize("file", ["faq.jsonl", "my rows: a, b #1.csv", "问答.jsonl", "'quoted'.txt", "yes", "*.jsonl"])
def test_a_starter_recipe_loads_and_names_the_rows(tmp_path: Path, file: str) -> None:
    (tmp_path / "recipes").mkdir()
    path = tmp_path / "recipes" / "new.yaml"
    data = tmp_path / "data" / file
    path.write_text(starter(str(data), folder=path.parent, base="org/model", name=named(str(data))), encoding="utf-8")
    recipe = load(path)
    assert (recipe.folder / recipe.data.sources[0].path).resolve() == data
    assert recipe.model.base == "org/model"


def test_a_hugging_face_dataset_keeps_its_address() -> None:
    assert "sources: ['hf://org/data']" in starter("hf://org/data", folder=Path("x"), base="b", name="n")


def test_the_name_is_made_of_the_file() -> None:
    assert [named(text) for text in ("a/faq.jsonl.gz", "a b.csv", "问答.jsonl", "__.txt")] == [
        "faq",
        "a-b",
        "问答",
        "model",
    ]
