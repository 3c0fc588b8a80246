"""The lookout: what is looked at beside the loss while a run goes on: probes, findings of the checks, answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuneloop.models import Loaded
from tuneloop.monitoring.checks import findings
from tuneloop.monitoring.following import following
from tuneloop.monitoring.recorder import Recorder
from tuneloop.monitoring.row_losses import RowLosses, path_of
from tuneloop.monitoring.section import MonitorSection
from tuneloop.monitoring.trackers import About
from tuneloop.rows import jsonl
from tuneloop.store.disk import writing
from tuneloop.training import samples
from tuneloop.training.job import Job
from tuneloop.training.randomness import Generators
from tuneloop.training.samples import LONGEST, SAMPLES, Samples
from tuneloop.training.signals import general
from tuneloop.training.signals.early import Early
from tuneloop.training.signals.facts import facts
from tuneloop.training.signals.failure import NotFinite
from tuneloop.training.signals.general import General
from tuneloop.training.signals.price import SHARE, TOKENS_OF_A_STEP, affordable
from tuneloop.training.signals.shuffled import Shuffled
from tuneloop.training.state import State

if TYPE_CHECKING:
    from tuneloop.training.loop import Learner

__all__ = ["KEPT", "LONGEST", "Lookout", "watching"]

KEPT = (samples.FILE, general.FILE, *(path_of(Path(), split).name for split in ("train", "validation")))
"""What a run keeps of this, where it is there."""


class Lookout:
    """Looks at a run after every evaluation.

    Where processes hold parts of the model, nothing is asked of it between steps: then only the checks look.

    Args:
        job: What is asked for.
        recorder: The run's figures, as they come in.
        learner: What learns; its progress is told once of each new finding that is not good.
        loaded: Its model.
        folder: The run's work folder; gets ``findings.jsonl``, and the answers to prompts.
        step: The step that the run goes on from.

    Raises:
        TrainingError: The file of general texts cannot be used.
        StoreError: Something cannot be written.
    """

    def __init__(
        self, job: Job, recorder: Recorder, learner: Learner, *, loaded: Loaded, folder: Path, step: int
    ) -> None:
        self.section: MonitorSection = settled(job.monitor, learner)
        self.recorder, self.history = recorder, recorder.history
        self.learner, self.folder = learner, folder
        self._told: set[str] = set()
        self._samples: Samples | None = None
        task = learner.task
        if learner.section.parallel.in_step:
            return
        before = Generators.now()
        self._samples = Samples(self.section, loaded, learner, dataset=job.dataset, folder=folder, step=step)
        self._general: General | None = None
        if not task.choices:
            with learner.precision.forward():
                self._general = General.of(loaded, self.section.general_texts, folder, step)
        tells = self.section.details and task.term == "token" and not task.choices and len(learner.validation)
        self._shuffled = Shuffled.of(learner.validation) if tells else None
        self._early = Early.of(learner, loaded.tokenizer.end_ids) if tells else None
        before.restore()

    def look(self, step: int, last: bool) -> None:
        """Measure what needs passes of its own, let the model answer the prompts, run the checks, tell what is new.

        Args:
            step: The step that was evaluated; 0 before the first one.
            last: Whether no step follows.

        Raises:
            StoreError: Figures or samples cannot be written.
        """
        self._read_rows()
        if self._samples:
            figures = self._probe(step, first_or_last=last or step == 0) | self._samples.take(step)
            self.recorder.write(step, figures)
        for finding in findings(self.section.checks, self.history):
            if finding.severity in ("warning", "error") and finding.check not in self._told:
                self._told.add(finding.check)
                change = f" (--set {finding.change})" if finding.change else ""
                self.learner.progress.note(f"{finding.check}: {finding.evidence}; {finding.advice}{change}")

    def broke(self, error: NotFinite) -> None:
        """Show the checks the figures that are no numbers; lines of JSON cannot hold them.

        Raises:
            StoreError: The losses of the rows cannot be written.
        """
        self.recorder.rows(error.split, error.rows)
        self.recorder.broke(error.step, error.figures)

    def close(self) -> None:
        """Write what the checks see at the end.

        Raises:
            StoreError: It cannot be written.
        """
        self._read_rows()
        with writing(self.folder):
            jsonl.write(self.folder / "findings.jsonl", findings(self.section.checks, self.history))

    def _read_rows(self) -> None:
        """Show the checks what single rows have lost so far."""
        train, validation = (
            RowLosses.read(path_of(self.folder, split), rows.origins.__getitem__)
            for split, rows in (("train", self.learner.train), ("validation", self.learner.validation))
        )
        self.history.train_rows, self.history.validation_rows = train, validation

    def _probe(self, step: int, *, first_or_last: bool) -> dict[str, float]:
        found = self._general.measure(self.learner, self.folder) if self._general else {}
        found |= self._early.measure(self.learner) if self._early else {}
        rows, loss = self.history.validation_rows, self.history.latest("validation/loss")
        if self._shuffled and first_or_last and rows is not None and loss is not None:
            now = rows.step == step
            usual = dict(zip(rows.row[now].tolist(), rows.loss[now].tolist(), strict=True))
            found |= self._shuffled.measure(self.learner, loss, usual)
        return found


def settled(section: MonitorSection, learner: Learner) -> MonitorSection:
    """The section with what it leaves to the run decided by its cost, which is told where it is too high.

    Args:
        section: The ``monitor`` section.
        learner: The model, the rows and the plan.
    """
    asked = {
        "samples": (SAMPLES, 0, "sample answers", LONGEST * TOKENS_OF_A_STEP),
        "general_texts": (general.OWN, None, "general texts, which show forgetting,", general.TEXTS * general.LENGTH),
    }
    update: dict[str, Any] = {}
    for option, (value, nothing, what, tokens) in asked.items():
        if getattr(section, option) != "auto":
            continue
        cheap = affordable(learner, tokens)
        update[option] = value if cheap else nothing
        if not cheap and not (option == "samples" and section.sample_prompts):
            learner.progress.note(
                f"{what} would cost more than {SHARE:.0%} of this training and are left out; "
                f"monitor.{option}={value} asks for them"
            )
    return section.model_copy(update=update)


@contextmanager
def watching(
    learner: Learner, loaded: Loaded, job: Job, folder: Path, state: State
) -> Iterator[tuple[Recorder, Callable[[int, bool], None]]]:
    """Keep the run's signals, and look at them and at the model after every evaluation.

    Args:
        learner: What learns.
        loaded: Its model.
        job: What is asked for.
        folder: The run's work folder.
        state: Where the run stands.

    Raises:
        TrainingError: The file of general texts cannot be used.
        StoreError: Something cannot be written.
    """
    going_on = state.step or None
    about = About(str(job.recipe.get("name", "")), job.key, str(job.store.root.absolute()), job.recipe)
    with (
        Recorder(folder / "signals.jsonl", keep=state.signals, step=going_on) as recorder,
        following(job.monitor.trackers, about, folder),
    ):
        sections = {"train": learner.section.model_dump(mode="json"), "task": job.task.spelled()}
        recorder.history.recipe = job.recipe | sections
        if going_on is None:
            recorder.write(0, facts(learner, loaded, job.dataset))
        lookout = Lookout(job, recorder, learner, loaded=loaded, folder=folder, step=state.step)
        try:
            yield recorder, lookout.look
        except NotFinite as error:
            lookout.broke(error)
            raise
        finally:
            lookout.close()
