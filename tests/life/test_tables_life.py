"""A table's whole way into a model: cleaned, encoded, rendered, learned from, its encoders kept with the model."""

from __future__ import annotations

from pathlib import Path

import tuneloop
from tuneloop.data.encoding import Encoding
from tuneloop.rows import Fields, Labeled
from tuneloop.store import Store
from tuneloop.store.kinds import ENCODERS

RECIPE = Path(__file__).parents[2] / "recipes/tiny/deliveries.yaml"


def test_the_model_keeps_the_encoders_that_its_rows_were_written_with(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    recipe = tuneloop.load(RECIPE, ["train.max_steps=1"])
    dataset = tuneloop.prepare(recipe, store)
    assert dataset.report["kinds"].keys() == {"labeled"}
    assert {entry["step"] for entry in dataset.report["dropped"]} >= {"dates", "duplicates"}
    _, model = tuneloop.train(recipe, store)
    kept = model.folder / ENCODERS
    assert kept.read_bytes() == (dataset.folder / ENCODERS).read_bytes()
    asked = Fields({"vehicle": "truck", "distance": None, "weight": 12.5}, "late")
    told = Encoding.read(kept).content(asked)
    assert isinstance(told, Labeled)
    assert told.text.splitlines()[0] == "vehicle: truck"
    assert told.text.splitlines()[1].startswith("distance: ")
