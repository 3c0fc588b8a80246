"""Every part of every family: one final documented class a file, one work, options that survive YAML."""

from __future__ import annotations

import importlib
import inspect
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import yaml

from tuneloop import parts
from tuneloop.errors import MissingPackage
from tuneloop.parts import Part, find, names

FAMILIES: list[type[Part]] = [
    getattr(importlib.import_module(f"tuneloop.{module}"), name)
    for module, name in (
        ("data.readers", "Reader"),
        ("data.formats", "Format"),
        ("data.transforms", "Transform"),
        ("models.adapters", "Adapter"),
        ("tasks", "Task"),
        ("training.optimizers", "Optimizer"),
        ("training.schedules", "Schedule"),
        ("monitoring.checks", "Check"),
        ("monitoring.trackers", "Tracker"),
        ("evaluation.metrics", "Metric"),
        ("exporting.exporters", "Exporter"),
        ("serving.engines", "Engine"),
        ("models.quantizers", "Quantizer"),
        ("data.detectors", "Detector"),
        ("data.balancers", "Balancer"),
        ("data.clusters", "Cluster"),
        ("data.augmenters", "Augmenter"),
        ("tuning.searches", "Search"),
        ("tuning.runners", "Runner"),
    )
]
PARTS = [pytest.param(base, name, id=f"{parts.family(base)}.{name}") for base in FAMILIES for name in names(base)]


@pytest.mark.parametrize("base", FAMILIES, ids=parts.family)
def test_a_family_is_abstract_and_not_empty(base: type[Part]) -> None:
    assert inspect.isabstract(base)
    assert names(base)


@pytest.mark.parametrize(("base", "name"), PARTS)
def test_a_part_is_final_documented_and_complete(base: type[Part], name: str) -> None:
    part = find(base, name)
    assert getattr(part, "__final__", False), f"{part} is not marked @final"
    assert not inspect.isabstract(part)
    assert part.__doc__ and not part.__doc__.startswith(base.__doc__ or "-")
    for option, field in part.model_fields.items():
        assert field.description, f"{name}.{option} has no help"


@pytest.mark.parametrize(("base", "name"), PARTS)
def test_a_part_survives_yaml(base: type[Part], name: str) -> None:
    part = find(base, name)
    needed = [option for option, field in part.model_fields.items() if field.is_required()]
    if needed:
        pytest.skip(f"needs {needed}")
    made = part()
    ((spelled, options),) = yaml.safe_load(yaml.safe_dump(made.spelled())).items()
    assert spelled == name
    assert find(base, spelled).model_validate(options) == made


@pytest.mark.parametrize(("base", "name"), PARTS)
def test_unknown_options_are_refused(base: type[Part], name: str) -> None:
    with pytest.raises(ValueError, match="surely_not_an_option"):
        find(base, name).model_validate({"surely_not_an_option": 1})


def test_a_name_that_is_none_is_a_lookup_error() -> None:
    for bad in ("nothing", "os", "../section", "cosine.py", "", "_private"):
        with pytest.raises(LookupError):
            find(FAMILIES[6], bad)


OUTSIDE = '''
"""A schedule from outside."""
from typing import final
from tuneloop.training.schedules import Schedule

@final
class Halving(Schedule):
    """Half the rate, always."""
    def factor(self, step, steps, losses):
        """Half."""
        return 0.5
'''


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """An installed package with an entry point in a family."""

    def install(module: str, text: str) -> None:
        (tmp_path / f"{module}.py").write_text(text)
        info = tmp_path / f"{module}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[tuneloop.training.schedules]\nhalving = {module}:Halving\n")
        monkeypatch.syspath_prepend(str(tmp_path))
        importlib.invalidate_caches()
        metadata.MetadataPathFinder().invalidate_caches()

    yield install
    for name in [n for n in sys.modules if n.startswith("outside_")]:
        del sys.modules[name]


def test_a_part_of_an_installed_package_is_found_by_its_entry_point(plugin: Any) -> None:
    plugin("outside_one", OUTSIDE)
    schedule = FAMILIES[6]
    assert "halving" in names(schedule)
    assert find(schedule, "halving")().at(100, 200, []) == 0.5


def test_a_missing_package_is_named_with_its_fix_and_a_broken_part_keeps_its_error(plugin: Any) -> None:
    plugin("outside_two", "import surely_not_installed\n" + OUTSIDE)
    with pytest.raises(MissingPackage, match="surely_not_installed") as caught:
        find(FAMILIES[6], "halving")
    assert "pip install surely-not-installed" in caught.value.problems[0].fix


def test_the_extra_that_holds_a_package_is_named() -> None:
    assert parts.install("datasets") == "pip install 'tuneloop[hub]'"
