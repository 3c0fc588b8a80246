"""The judge at work: verdicts on pairs in both orders, or grades of single answers, and what they add up to.

Source:
    Zheng et al., Judging LLM-as-a-Judge with MT-Bench and Chatbot Arena, 2023, sections 3.3 and 3.4: judges prefer
    what stands first; only verdicts that survive the swap count.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec

from tuneloop.errors import DataError, NoAnswer, RecordError
from tuneloop.evaluation.answers import Answered
from tuneloop.evaluation.interval import mean
from tuneloop.evaluation.judging import reading
from tuneloop.evaluation.judging.section import JudgeSection
from tuneloop.evaluation.paired import compare, mcnemar
from tuneloop.models.asking import Endpoint, Kept, Question
from tuneloop.monitoring.progress import Progress

T = TypeVar("T")
TALLY = 0.05
"""How often chance may make a difference that is called one."""


class Judged(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of ``judged.jsonl``.

    Attributes:
        record: Id of the record.
        verdict: ``tuned``, ``tie``, or the name of the other model; empty where the judge could not be read.
        places: With pairs: what each order's verdict names, ``first`` or ``second`` place or ``tie``.
        grades: With grades: the grade of each model.
        said: What the judge wrote, in the order it was asked.
    """

    record: str
    verdict: str = ""
    places: tuple[str, ...] = ()
    grades: dict[str, float] = {}
    said: tuple[str, ...] = ()


class Sitting(NamedTuple):
    """What a judge found.

    Attributes:
        summary: The figures, for the report.
        rows: The verdicts, row by row.
    """

    summary: dict[str, Any]
    rows: list[Judged]


class Judge:
    """A judge and what it is asked by.

    Args:
        section: Who judges, and by what.
        cache: Where verdicts are kept, so that nothing is asked twice; None keeps none.
        seed: Seed of the judge's draws and of the intervals.

    Raises:
        DataError: The environment has no key where the section names one.
    """

    def __init__(self, section: JudgeSection, cache: Path | None, seed: int) -> None:
        key = os.environ.get(section.api_key_env, "") if section.api_key_env else ""
        if section.api_key_env and not key:
            raise DataError(
                f"the environment has no {section.api_key_env}",
                where="evaluate.judge.api_key_env",
                fix=f"export {section.api_key_env}=..., or leave api_key_env out",
            )
        self.section, self.seed = section, seed
        self.endpoint = Endpoint(section.base_url, section.model, key, section.timeout, section.retries)
        self._kept = Kept(self.endpoint, cache, {"model": section.model, "base_url": section.base_url})

    def reach(self) -> None:
        """Make sure that the judge answers, before anything long begins.

        Raises:
            DataError: It is not there, or refuses.
        """
        try:
            self.endpoint.ask(Question("Answer with one word.", "Are you ready?", 0.0, self.section.max_tokens, 0))
        except NoAnswer as error:
            raise self._gone() from error
        except RecordError:
            return  # it is there; what it said is of no matter

    @property
    def cost(self) -> dict[str, int]:
        """What was asked this time: answers kept from before cost nothing."""
        cost = self.endpoint.cost
        return {
            "answers": cost.answers,
            "prompt_tokens": cost.prompt_tokens,
            "completion_tokens": cost.completion_tokens,
        }

    def sit(self, rows: Sequence[Answered], sides: Sequence[str], progress: Progress) -> Sitting:
        """Judge answers.

        Args:
            rows: Questions with their answers.
            sides: With pairs: the other model and the tuned one. With grades: whose answers are graded.
            progress: Told how many rows are judged.

        Raises:
            DataError: The judge went away, or refuses every question.
        """
        rows = rows[: self.section.limit]
        progress.start(f"asking the judge {self.section.model}", len(rows))
        if self.section.way == "grades":
            graded = self._each(rows, lambda row: self._graded(row, sides), progress)
            return Sitting(self._grades(graded, sides), graded)
        judged = self._each(rows, lambda row: self._compared(row, sides[0]), progress)
        return Sitting(self._verdicts(judged, sides[0]), judged)

    def _each(self, rows: Sequence[Answered], work: Callable[[Answered], T], progress: Progress) -> list[T]:
        found: list[T] = []
        with ThreadPoolExecutor(self.section.concurrency) as pool:
            waiting = [pool.submit(work, row) for row in rows]
            try:
                for done, one in enumerate(waiting, start=1):
                    found.append(one.result())
                    progress.advance(done)
            except NoAnswer as error:
                raise self._gone() from error
            finally:
                for one in waiting:
                    one.cancel()
        return found

    def _gone(self) -> DataError:
        return DataError(
            f"the judge {self.section.model} does not answer",
            where=f"evaluate.judge, {self.section.base_url}",
            fix="start it, and run the same command again: verdicts that were given are kept",
        )

    def _compared(self, row: Answered, other: str) -> Judged:
        """Ask which answer is better; without a swap, chance (the record's id) says which stands first."""
        pair = {"tuned": row.tuned, other: row.said(other)}
        swapped = int(row.record[:8] or "0", 16) % 2 == 1
        orders = [("tuned", other), (other, "tuned")]
        orders = orders if self.section.swap else [orders[swapped]]
        if pair["tuned"].strip() == pair[other].strip():
            return Judged(row.record, "tie", ("tie",) * len(orders))
        names, places, said = [], [], []
        for order in orders:
            text = reading.comparing(row.prompt, row.reference, *(pair[name] for name in order))
            found, words = self._read(reading.COMPARE, text, reading.better)
            said.append(words)
            places.append({"A": "first", "B": "second", "tie": "tie", None: ""}[found])
            names.append({"A": order[0], "B": order[1], "tie": "tie", None: ""}[found])
        agreed = names[0] if len(set(names)) == 1 else "tie"
        return Judged(row.record, agreed if all(names) else "", tuple(places), said=tuple(said))

    def _graded(self, row: Answered, sides: Sequence[str]) -> Judged:
        grades, said = {}, []
        for side in sides:
            text = reading.grading(row.prompt, row.reference, row.said(side))
            found, words = self._read(reading.GRADE, text, reading.grade)
            said.append(words)
            if found is not None:
                grades[side] = found
        return Judged(row.record, grades=grades, said=tuple(said))

    def _read(self, system: str, text: str, read: Callable[[str], T | None]) -> tuple[T | None, str]:
        """Ask until the answer can be read; an answer that was cut off or refused cannot."""
        told = system.format(criteria=self.section.criteria)
        words = ""
        for attempt in range(self.section.retries + 1):
            asked = text + (reading.AGAIN if attempt else "")
            try:
                words = self._kept.ask(Question(told, asked, 0.0, self.section.max_tokens, self.seed + attempt))
            except NoAnswer:
                raise
            except RecordError as error:
                words = f"({error.problems[0].what})"
                continue
            if (found := read(words)) is not None:
                return found, words
        return None, words

    def _verdicts(self, judged: Sequence[Judged], other: str) -> dict[str, Any]:
        """Wins, ties and losses, and how much the judge looked at the order."""
        read = [row for row in judged if row.verdict]
        wins = sum(row.verdict == "tuned" for row in read)
        losses = sum(row.verdict == other for row in read)
        chance = mcnemar(wins, losses)
        told: dict[str, Any] = self._head() | {
            "against": other,
            "rows": len(read),
            "unread": len(judged) - len(read),
            "wins": wins,
            "losses": losses,
            "ties": len(read) - wins - losses,
            "p": chance,
            "verdict": "unclear" if chance >= TALLY else "better" if wins > losses else "worse",
        }
        if read:
            points = [{"tuned": 1.0, "tie": 0.5}.get(row.verdict, 0.0) for row in read]
            told["win_rate"] = msgspec.to_builtins(mean(points, seed=self.seed))
        return told | _order(read)

    def _grades(self, graded: Sequence[Judged], sides: Sequence[str]) -> dict[str, Any]:
        read = [row for row in graded if all(side in row.grades for side in sides)]
        told: dict[str, Any] = self._head() | {"rows": len(read), "unread": len(graded) - len(read)}
        columns = {side: [row.grades[side] for row in read] for side in sides}
        if read:
            told["grades"] = {
                side: msgspec.to_builtins(mean(column, seed=self.seed)) for side, column in columns.items()
            }
        if read and len(sides) > 1:
            found = compare(columns[sides[0]], columns["tuned"], seed=self.seed)
            told["against"] = sides[0]
            told["difference"] = msgspec.to_builtins(found)
            told["verdict"] = "unclear" if found.p >= TALLY else "better" if found.difference > 0 else "worse"
        return told

    def _head(self) -> dict[str, Any]:
        return {"way": self.section.way, "model": self.section.model, "swap": self.section.swap}


def _order(read: Sequence[Judged]) -> dict[str, Any]:
    """How often both orders gave the same verdict, and how often the verdict fell on one place whatever stood there."""
    swapped = [row for row in read if len(row.places) == 2 and row.said]
    if not swapped:
        return {}
    first, second = (sum(row.places == (place, place) for row in swapped) for place in ("first", "second"))
    same = sum(row.verdict != "tie" or row.places == ("tie", "tie") for row in swapped)
    return {
        "agreement": same / len(swapped),
        "always_first": first / len(swapped),
        "always_second": second / len(swapped),
        "order_p": mcnemar(first, second),
    }
