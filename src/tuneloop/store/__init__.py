"""The store: content-addressed artifacts, refs that point at them, and lineage both ways."""

from tuneloop.store.artifact import Artifact, Manifest
from tuneloop.store.kinds import Bundle, Dataset, Model, Release, Report, Run, Study
from tuneloop.store.refs import Move, Refs
from tuneloop.store.store import Store

__all__ = [
    "Artifact",
    "Bundle",
    "Dataset",
    "Manifest",
    "Model",
    "Move",
    "Refs",
    "Release",
    "Report",
    "Run",
    "Store",
    "Study",
]
