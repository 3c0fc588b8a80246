"""Signals: what is measured of a run besides its loss, at a cost that nobody notices, without touching the result."""

from tuneloop.training.signals.details import Details

__all__ = ["Details"]
