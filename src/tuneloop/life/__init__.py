"""The whole life on one page: each act takes its section, finds its artifacts, calls its stage, moves a ref.

::

    prepare   raw rows           -> Dataset   <name>/dataset
    train     Dataset + base     -> Run, Model  <name>/run, <name>/model
    improve   train, look, change, train again -> the best Run and Model
    tune      recipe + space     -> Study     <name>/study, <name>/run, <name>/model
    evaluate  Model + Dataset    -> Report    <name>/report
    export    Model              -> Bundle    <name>/bundle
    release   Model + Report     -> Release   <name>/challenger
    promote   Release            -> <name>/champion          rollback: one move back
    serve     <name>/champion    -> Exchanges and Feedback
    collect   Feedback + Dataset -> Dataset   <name>/dataset
    retrain   Dataset + champion -> Release   <name>/challenger

What was done before with the same inputs is found in the store and costs nothing. ``progress`` is told how far it is.

Example::

    recipe, store = tuneloop.load("faq.yaml"), tuneloop.Store()
    dataset = tuneloop.prepare(recipe, store)
    run, model = tuneloop.train(recipe, store)
    report, bundle = tuneloop.evaluate(recipe, store), tuneloop.export(recipe, store)
    release = tuneloop.release(recipe, store)
    tuneloop.promote(recipe, store, why="better than the base")
    tuneloop.serve(recipe, store, ready=print)  # until Ctrl-C
    life = tuneloop.retrain(recipe, store)  # collect, train, evaluate, export, release
    tuneloop.rollback(recipe, store)
    tuneloop.lineage(store, "chatcmpl-...").sources

``docs/api.md`` tells more of each; a test runs it.
"""

from __future__ import annotations

from tuneloop.life.finding import find_batch, find_rank, find_rate
from tuneloop.life.improving import Improved, improve, of_run
from tuneloop.life.learning import Life, collect, retrain, run
from tuneloop.life.making import SILENT, evaluate, export, load, prepare, train
from tuneloop.life.releasing import chat, lineage, promote, release, rollback, serve
from tuneloop.life.searching import tune, tuned

__all__ = [
    "SILENT",
    "Improved",
    "Life",
    "chat",
    "collect",
    "evaluate",
    "export",
    "find_batch",
    "find_rank",
    "find_rate",
    "improve",
    "lineage",
    "load",
    "of_run",
    "prepare",
    "promote",
    "release",
    "retrain",
    "rollback",
    "run",
    "serve",
    "train",
    "tune",
    "tuned",
]
