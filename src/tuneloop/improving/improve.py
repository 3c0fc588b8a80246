"""The closed loop: train, look at what is wrong, change one thing, train again, and say when settings no longer help.

::

    improve
    ├─ attempt 1: the recipe as it is written
    └─ until target, budget, or nothing is left to gain:
       ├─ over?                    target reached, runs or minutes spent, several attempts without gain
       ├─ next change              the first move with something new to propose, for the best attempt so far
       ├─ attempt                  training with the change; a failure is an outcome like any other
       ├─ better?                  losses of the same held-out rows, row by row, with their standard error
       └─ journal                  what was seen, changed, and what came of it
    └─ where nothing helped: the best recipe with half of the rows, to see whether rows are what is missing
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from tuneloop.improving.difference import Difference, difference
from tuneloop.improving.section import ImproveSection
from tuneloop.improving.story import Attempt, Outcome, Proposal, Story
from tuneloop.monitoring.progress import Progress, Silent

Try = Callable[[Mapping[str, str]], Outcome]
"""Trains the recipe with changes (path to value, as ``--set`` takes them), and says what came of it."""


@dataclass(frozen=True)
class Ending:
    """How an improvement ended.

    Attributes:
        story: Everything tried; ``story.leading`` is the best.
        reason: ``target``, ``runs``, ``minutes``, ``patience``, ``nothing left`` or ``rows`` (rows, not settings, are
            what is missing).
        told: The same in a sentence with its figures.
    """

    story: Story
    reason: str
    told: str


def improve(
    section: ImproveSection,
    attempt: Try,
    *,
    first: Outcome | None = None,
    half: Try | None = None,
    sources: tuple[str, ...] = (),
    data: bool = True,
    journal: Callable[[Story, str], None] = lambda _story, _told: None,
    progress: Progress | None = None,
) -> Ending:
    """Improve a recipe by trying one change after the other.

    Args:
        section: The budget, the target, and what may be tried.
        attempt: Trains with changes.
        first: What came of the recipe as it is written, where that is known already.
        half: Trains with changes on half of the training rows; None where that cannot be done.
        sources: More sources of rows, the nearest first.
        data: Whether changes may change the rows.
        journal: Takes the story after every attempt, with what ended it (empty while it goes on).
        progress: Told of every decision.

    Returns:
        The story, with the best attempt, and why it ended.
    """
    progress, began = progress or Silent(), time.monotonic()
    story = Story(sources=sources, data=data)
    outcome = first or attempt({})
    story = _told(story, _named(outcome, 1, "as written", "the recipe as it is", (), {}), progress)
    idle = 0
    journal(story, "")
    while not (reason := _over(section, story, idle, time.monotonic() - began, trial=half is not None)):
        found = _next(section, story)
        if found is None:
            reason = "nothing left"
            break
        move, proposal = found
        progress.note(f"{move}: {proposal.why}; trying {', '.join(proposal.changes)}")
        changes = story.changed(proposal)
        made = _named(attempt(changes), len(story.attempts) + 1, move, proposal.why, proposal.changes, changes)
        gain = against(made, story.leading)
        idle = 0 if gain is not None and gain.clearly_better else idle + 1
        story = _told(story, made, progress)
        journal(story, "")
    return _end(section, story, reason, idle, half, journal)


def against(one: Attempt, other: Attempt) -> Difference | None:
    """The difference of two attempts; None where one of them failed."""
    if not (math.isfinite(one.loss) and math.isfinite(other.loss)):
        return None if not math.isfinite(one.loss) else Difference(-math.inf, 0.0, 0)
    return difference(one.rows, other.rows) or Difference(one.loss - other.loss, math.inf, 0)


def _named(
    outcome: Outcome, number: int, move: str, why: str, changed: tuple[str, ...], changes: Mapping[str, str]
) -> Attempt:
    return Attempt(**vars(outcome), number=number, move=move, why=why, changed=changed, changes=changes)


def _verdict(found: Difference | None) -> str:
    """How an attempt did beside the one that led, in words and figures; the figure behind ± is two standard errors."""
    if found is None:
        return "failed"
    clear = found.clearly_better or found.clearly_worse
    side = "better" if found.mean < 0 else "not better"
    return f"{side}{'' if clear else ', maybe by chance'}, {found.told()}"


def _told(story: Story, made: Attempt, progress: Progress) -> Story:
    """The story with one more attempt, which leads if its held-out loss is lower."""
    if not story.attempts:
        return story.after(made, leads=True)
    found = against(made, story.leading)
    leads = found is not None and found.mean < 0
    progress.note(f"attempt {made.number}: {made.failed or _verdict(found)}")
    return story.after(replace(made, against=story.best, difference=found), leads=leads)


def _next(section: ImproveSection, story: Story) -> tuple[str, Proposal] | None:
    """The first proposal that was not tried, and the name of the move that makes it."""
    for move in section.moves:
        for proposal in move.propose(story):
            if story.untried(proposal):
                return move.name, proposal
    return None


def _over(section: ImproveSection, story: Story, idle: int, seconds: float, *, trial: bool) -> str:
    """Why no more is tried; empty while something is.

    The last training of a budget is kept for a trial with half of the rows where settings have stopped to help a model
    that learns its rows by heart.
    """
    left = section.runs - len(story.attempts)
    if section.target is not None and story.leading.loss <= section.target:
        return "target"
    if not left:
        return "runs"
    if section.minutes is not None and seconds > 60 * section.minutes:
        return "minutes"
    return "patience" if idle >= section.patience or (trial and left == 1 and idle and _runs_ahead(story)) else ""


def _runs_ahead(story: Story) -> bool:
    """Whether the best attempt learns its rows by heart: then rows are likely what is missing."""
    return story.leading.saw("overfit", "memorised", "small_data") is not None


def _end(
    section: ImproveSection,
    story: Story,
    reason: str,
    idle: int,
    half: Try | None,
    journal: Callable[[Story, str], None],
) -> Ending:
    told = _sentence(section, story, reason, idle)
    room = len(story.attempts) < section.runs
    if reason in ("patience", "nothing left") and half is not None and room and math.isfinite(story.leading.loss):
        reason, told = _of_rows(story, half(story.leading.changes), reason, told)
    journal(story, told)
    return Ending(story, reason, told)


def _of_rows(story: Story, halved: Outcome, reason: str, told: str) -> tuple[str, str]:
    """Whether half of the rows cost more than the last settings brought: then more rows would help most."""
    best = story.leading
    found = against(_named(halved, 0, "half", "", (), {}), best)
    if found is None or not found.clearly_worse:
        return reason, f"{told}; half of the rows did as well ({found.told() if found else halved.failed})"
    said = (
        f"rows, not settings, are what is missing: no setting tried brought a clear gain, but with half of the training"
        f" rows the held-out loss was {found.told()} higher; more rows like these, or from near sources, would lower it"
    )
    return "rows", said


def _sentence(section: ImproveSection, story: Story, reason: str, idle: int) -> str:
    best = story.leading
    if not math.isfinite(best.loss):
        return f"no attempt succeeded: {best.failed}"
    idly = "the last training" if idle == 1 else f"the last {idle} trainings"
    led = f"held-out loss {best.loss:.4f} by attempt {best.number} of {len(story.attempts)}"
    return {
        "target": f"the target of {section.target} was reached: {led}",
        "runs": f"the budget of {section.runs} trainings is spent: {led}",
        "minutes": f"the budget of {section.minutes} minutes is spent: {led}",
        "patience": f"{idly} brought no clear gain: {led}",
        "nothing left": f"there is nothing left to try: {led}",
    }[reason]
