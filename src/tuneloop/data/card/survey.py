"""The survey: what a card says of the rows themselves, from all of them or from some drawn as they are written.

Counted over all rows are the labels; everything else is looked at in at most :data:`DRAWN` different rows of each
split, those with the lowest digests. The draw depends neither on the order of the rows nor on chance, and its cost
not on how many there are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from tuneloop.data.contents import texts
from tuneloop.data.hiding import Hider
from tuneloop.data.script import letters
from tuneloop.data.sides import questions
from tuneloop.rows import Chat, Content, Fields, Labeled, Preference, Record

DRAWN = 500
"""Different rows of each split that are looked at closely."""
BYTES = 16 << 20
"""Characters that the drawn rows of a split may have together; of longer rows fewer are drawn."""
LABELS = 1000
"""Different labels that are counted."""
VALUES = 50
"""Different values that a column of topics may have, at least two rows for each on average."""
SHOWN = 3
LONGEST = 400
OPENINGS = 20


class Survey:
    """Takes account of the rows of a dataset as they are written.

    Attributes:
        labels: For each split its labels, counted; at most :data:`LABELS` different ones.
        unlabeled: Rows whose label was one too many to count.
    """

    def __init__(self) -> None:
        self.labels: dict[str, Counter[str]] = {}
        self.uncounted = 0
        self._drawn: dict[str, dict[str, tuple[int, Record]]] = {}
        self._held: Counter[str] = Counter()
        self._limit: dict[str, str] = {}

    def add(self, split: str, record: Record, size: int) -> None:
        """Take account of a row.

        Args:
            split: Where it goes.
            record: The row.
            size: Its characters.
        """
        content = record.content
        if isinstance(content, Labeled | Fields) and content.label is not None:
            labels = self.labels.setdefault(split, Counter())
            name = str(content.label)
            if name in labels or len(labels) < LABELS:
                labels[name] += 1
            else:
                self.uncounted += 1
        if record.id < self._limit.get(split, "g"):
            drawn = self._drawn.setdefault(split, {})
            if record.id not in drawn:
                drawn[record.id] = (size, record)
                self._held[split] += size
                if len(drawn) >= 2 * DRAWN or self._held[split] > 2 * BYTES:
                    self._thin(split)

    def drawn(self, split: str) -> list[Record]:
        """The rows drawn from a split, by digest."""
        if split not in self._drawn:
            return []
        self._thin(split)
        return [record for _, record in self._drawn[split].values()]

    def report(self, hider: Hider, tokens: tuple[str, Callable[[str], int]] | None = None) -> dict[str, Any]:
        """What was seen, as plain values without what is hidden.

        Args:
            hider: What must not be seen of a row.
            tokens: The name of a tokenizer, and what counts the tokens of a text by it.
        """
        drawn = {split: self.drawn(split) for split in self._drawn}
        everyone = [record for records in drawn.values() for record in records]
        told: dict[str, Any] = {
            "drawn": {split: len(records) for split, records in drawn.items()},
            "labels": {split: _hidden(labels, hider) for split, labels in self.labels.items()},
            "uncounted_labels": self.uncounted,
            "writing": {split: dict(_counted(map(writing, records))) for split, records in drawn.items()},
            "openings": _openings(everyone, hider),
            "columns": _columns(everyone, hider),
            "found": found(everyone),
            "samples": {
                split: [{"origin": record.origin, "parts": _parts(record.content, hider)} for record in records[:SHOWN]]
                for split, records in drawn.items()
            },
        }
        if tokens is not None:
            name, count = tokens
            told["tokenizer"] = name
            told["tokens"] = {
                split: _doubling(sum(map(count, texts(record.content))) for record in records)
                for split, records in drawn.items()
            }
        return told

    def _thin(self, split: str) -> None:
        """Keep the lowest digests only, and as many of them as there is room for."""
        drawn = self._drawn[split]
        kept: dict[str, tuple[int, Record]] = {}
        held = 0
        for id in sorted(drawn):
            size = drawn[id][0]
            if len(kept) == DRAWN or (kept and held + size > BYTES):
                self._limit[split] = id
                break
            kept[id] = drawn[id]
            held += size
        self._drawn[split], self._held[split] = kept, held


def writing(record: Record) -> str:
    """The writing that most letters of a row are in: ``latin``, ``han`` …, ``none`` where it has no letters.

    Example:
        >>> from tuneloop.rows import Text
        >>> writing(Record.of(Text("用 Python 写一个程序"), origin="a:1"))
        'han'
    """
    counts: Counter[str] = Counter()
    for text in texts(record.content):
        counts.update(letters(text[:2000]))
    if not counts:
        return "none"
    counts["han"] *= 4  # a character says about as much as a short word
    return max(sorted(counts), key=counts.__getitem__)


def found(records: Iterable[Record]) -> dict[str, Any]:
    """Count what looks like personal data and secrets in rows; nothing of it is kept.

    Returns:
        ``rows`` looked at, ``personal`` and ``secrets`` by kind, and in how many rows each (``rows_with``).
    """
    from tuneloop.data.privacy.finder import Finder
    from tuneloop.data.privacy.kinds import kinds_of
    from tuneloop.data.privacy.rows import scrubbed

    finders = {"personal": Finder(kinds_of("redact")), "secrets": Finder(kinds_of("secrets"))}
    counts: dict[str, Counter[str]] = {name: Counter() for name in finders}
    with_any: Counter[str] = Counter()
    rows = 0
    for record in records:
        rows += 1
        for name, finder in finders.items():
            met: list[str] = []

            def see(text: str, called: str, finder: Finder = finder, met: list[str] = met) -> str:
                met.extend(span.kind for span in finder.spans(text, called))
                return text

            scrubbed(record, see)
            counts[name].update(met)
            with_any[name] += bool(met)
    return {
        "rows": rows,
        **{name: dict(_counted(each.elements())) for name, each in counts.items()},
        "rows_with": {name: with_any[name] for name in finders},
    }


def _parts(content: Content, hider: Hider) -> list[dict[str, str]]:
    """A row as a person reads it: who says what, hidden and cut."""
    turns: list[tuple[str, str]]
    if isinstance(content, Chat):
        turns = [
            (turn.role, turn.content or ", ".join(f"calls {call.name}" for call in turn.tool_calls))
            for turn in content.messages
        ]
    elif isinstance(content, Preference):
        turns = [(turn.role, turn.content) for turn in content.prompt]
        turns += [("chosen", turn.content) for turn in content.chosen]
        turns += [("rejected", turn.content) for turn in content.rejected]
    elif isinstance(content, Labeled):
        turns = [("text", content.text), ("label", str(content.label))]
    elif isinstance(content, Fields):
        turns = [(name, "" if value is None else str(value)) for name, value in content.values.items()]
        turns += [] if content.label is None else [("label", str(content.label))]
    else:
        turns = [("text", content.text)]
    shown = [{"who": hider.text(who), "text": _cut(hider.text(text))} for who, text in turns[:12]]
    return shown + ([{"who": "", "text": f"and {len(turns) - 12} more"}] if len(turns) > 12 else [])


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else text[:LONGEST] + "…"


def _openings(records: list[Record], hider: Hider) -> list[dict[str, Any]]:
    """How the questions of conversations begin: the first two words, or the first two characters of Chinese."""
    counts: Counter[str] = Counter()
    for record in records:
        if isinstance(record.content, Chat | Preference):
            first = next(questions(record.content), "").strip()
            if first:
                counts[_opening(first)] += 1
    common = [(words, rows) for words, rows in _counted(counts.elements()) if words and rows > 1][:OPENINGS]
    return [{"words": hider.text(words), "rows": rows} for words, rows in common]


def _opening(text: str) -> str:
    if "\u3400" <= text[0] <= "\u9fff":
        return text[:2]
    words = [word.strip(".,:;!?\"'()[]").lower() for word in text[:80].split()[:2]]
    return " ".join(word for word in words if word.isalpha())


def _columns(records: list[Record], hider: Hider) -> dict[str, dict[str, int]]:
    """Columns of the sources, not used by the format, that sort the rows into a few topics."""
    seen: dict[str, Counter[str]] = {}
    for record in records:
        for name, value in (record.meta.get("other") or {}).items():
            if isinstance(value, str | bool) and len(str(value)) <= 60:
                seen.setdefault(name, Counter())[str(value)] += 1
    return {
        hider.text(name): _hidden(values, hider)
        for name, values in sorted(seen.items())
        if 1 < len(values) <= VALUES and values.total() >= 2 * len(values)
    }


def _hidden(counts: Counter[str], hider: Hider) -> dict[str, int]:
    shown: Counter[str] = Counter()
    for name, count in counts.items():
        shown[hider.text(name)] += count
    return dict(sorted(shown.items(), key=lambda entry: (-entry[1], entry[0])))


def _counted(names: Iterable[str]) -> list[tuple[str, int]]:
    """Names and how often each comes, the most frequent first."""
    return sorted(Counter(names).items(), key=lambda entry: (-entry[1], entry[0]))


def _doubling(sizes: Iterable[int]) -> list[dict[str, int]]:
    return histogram(Counter(size.bit_length() for size in sizes))


def histogram(lengths: Counter[int]) -> list[dict[str, int]]:
    """Rows by their characters, in ranges that double: ``{"from": 64, "below": 128, "rows": 7}``.

    Example:
        >>> histogram(Counter({0: 1, 3: 2}))
        [{'from': 0, 'below': 1, 'rows': 1}, {'from': 4, 'below': 8, 'rows': 2}]
    """
    return [
        {"from": 2 ** (bits - 1) if bits else 0, "below": 2**bits, "rows": lengths[bits]} for bits in sorted(lengths)
    ]
