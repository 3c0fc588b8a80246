"""Pictures of curves: they open, they are the same each time, and they mark what matters."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from tests.monitoring.test_checks import falling, run

from tuneloop.monitoring.history import History
from tuneloop.monitoring.plots import curves, overfitting


def test_an_svg_is_whole_and_the_same_each_time() -> None:
    history = run(falling, lambda step: 2.0 + abs(step - 60) / 60)
    picture = curves(history)
    assert ET.fromstring(picture).tag.endswith("svg")
    assert picture == curves(history)


def test_a_png_is_a_png() -> None:
    assert curves(run(falling), format="png").startswith(b"\x89PNG")


def test_an_empty_history_is_drawn_too() -> None:
    assert curves(History()).startswith(b"<?xml")


def test_the_overfitting_zone_begins_at_the_lowest_held_out_loss() -> None:
    assert overfitting(run(falling, lambda step: 2.0 + abs(step - 60) / 60)) == (60, 120)
    assert overfitting(run(falling, falling)) is None
    assert overfitting(run(falling)) is None
