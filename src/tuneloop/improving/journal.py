"""The journal: every decision of an improvement, for people (``journal.md``) and for programs (``journal.json``)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from tuneloop.improving.story import Attempt, Story
from tuneloop.store.seal import replace


def write(folder: Path, story: Story, ended: str) -> None:
    """Write both files anew; a reader never finds half of one.

    Args:
        folder: Where they go; made if it is not there.
        story: Everything tried so far.
        ended: Why nothing more is tried; empty while it goes on.

    Raises:
        StoreError: The disk is full or not writable.
    """
    folder.mkdir(parents=True, exist_ok=True)
    body = {"best": story.best, "ended": ended, "attempts": [plain(each) for each in story.attempts]}
    replace(folder / "journal.json", msgspec.json.format(msgspec.json.encode(body), indent=2) + b"\n")
    replace(folder / "journal.md", "\n".join(lines(story, ended)).encode())


def plain(attempt: Attempt) -> dict[str, Any]:
    """One attempt as plain values; a loss is null where the training failed."""
    found = attempt.difference
    return {
        "number": attempt.number,
        "move": attempt.move,
        "why": attempt.why,
        "changed": list(attempt.changed),
        "changes": dict(attempt.changes),
        "loss": attempt.loss if math.isfinite(attempt.loss) else None,
        "step": attempt.best[0] if attempt.best else None,
        "steps": attempt.steps,
        "against": attempt.against or None,
        "difference": found.mean if found and math.isfinite(found.mean) else None,
        "error": found.error if found and math.isfinite(found.error) else None,
        "findings": [each.check for each in attempt.findings if each.severity in ("warning", "error")],
        "run": attempt.run,
        "model": attempt.model,
        "failed": attempt.failed,
        "seconds": round(attempt.seconds, 1),
    }


def lines(story: Story, ended: str) -> Iterator[str]:
    """The journal as Markdown."""
    best = story.leading
    yield "# What was tried, and why"
    yield ""
    yield f"**{ended[:1].upper()}{ended[1:]}.**" if ended else "*It goes on.*"
    yield ""
    if best.changes:
        yield f"Best so far: attempt {best.number}. The recipe with"
        yield ""
        yield "```"
        yield from (f"--set {path}={value!r}" for path, value in best.changes.items())
        yield "```"
        yield ""
    yield "| attempt | change | held-out loss | at step | against |"
    yield "|---|---|---|---|---|"
    for each in story.attempts:
        loss = f"{each.loss:.4f}" if math.isfinite(each.loss) else "failed"
        step = f"{each.best[0]} of {each.steps}" if each.best else "-"
        against = f"{each.against}: {each.difference.told()}" if each.difference else "-"
        mark = " (best)" if each.number == story.best else ""
        yield f"| {each.number}{mark} | {', '.join(each.changed) or 'none'} | {loss} | {step} | {against} |"
    for each in story.attempts:
        yield from ("", f"## {each.number}. {', '.join(each.changed) or 'the recipe as it is written'}", "")
        yield from _attempt(each)
    yield ""


def _attempt(each: Attempt) -> Iterator[str]:
    if each.number > 1:
        yield f"**Why** ({each.move}): {each.why}."
        yield ""
    if each.failed:
        yield f"**It failed**: {each.failed}"
        return
    if each.difference:
        found = each.difference
        verdict = "better than" if found.clearly_better else "worse than" if found.clearly_worse else "no other than"
        clear = "clearly " if found.clearly_better or found.clearly_worse else "by chance at most, "
        yield f"**What came of it**: {clear}{verdict} attempt {each.against}, {found.told()}."
        yield ""
    seen = [found for found in each.findings if found.severity in ("warning", "error")]
    yield "**What was seen**: " + ("nothing wrong." if not seen else "")
    yield from (f"- {found.check}: {found.evidence}" for found in seen)
    yield ""
    yield f"Run `{each.run}`, {each.seconds:.0f} s."
