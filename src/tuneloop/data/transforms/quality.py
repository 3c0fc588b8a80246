"""Quality: answers that are empty, echoes, loops, refusals or cut off are counted, and set aside where asked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import ClassVar, final

from pydantic import Field

from tuneloop.data.sides import Pair, pairs
from tuneloop.data.signals import SIGNALS, Signal, empty
from tuneloop.data.transforms import Transform
from tuneloop.rows import Drop, Preference, Record

REASONS: dict[Signal, str] = {
    "empty": "the answer says nothing",
    "placeholder": "the answer is a placeholder",
    "echo": "the answer is the question again",
    "loop": "the answer is caught in a loop",
    "refusal": "the answer refuses",
    "truncated": "the answer is cut off",
    "other_language": "the answer is in another language than the question",
}
"""Why a row is set aside, by signal."""


@final
class Quality(Transform):
    """Looks at every answer that is learned, with the question before it; of a preference only at the better answer.

    What is seen is counted by signal in the report. A worse answer may well be a refusal or cut off: it is left alone.
    """

    rowwise: ClassVar[bool] = True

    drop: list[Signal] = Field(["empty", "placeholder", "echo", "loop"])
    """Signals for which a row is set aside; the others are only counted."""

    def run(self, records: Iterable[Record]) -> Iterator[Record | Drop]:
        """Pass on what has none of the signals to drop."""
        for record in records:
            content = record.content
            if isinstance(content, Preference):
                content = Preference(content.prompt, content.chosen)
            seen = self.seen(list(pairs(content)))
            self.tally.update(seen)
            reason = next((REASONS[signal] for signal in seen if signal in self.drop), "")
            yield Drop(reason, self.name, record.origin, id=record.id) if reason else record

    def seen(self, answered: list[Pair]) -> list[Signal]:
        """The signals that any of the answers has, the most certain first; an empty answer has no other.

        Example:
            >>> Quality().seen([Pair("Name a whale.", "N/A"), Pair("Why?", "I'm sorry, but I can't help with that.")])
            ['placeholder', 'refusal']
        """
        spoken = [pair for pair in answered if not empty(pair)]
        seen = [signal for signal, sees in SIGNALS.items() if any(map(sees, spoken))]
        return seen if len(spoken) == len(answered) else ["empty", *seen]
