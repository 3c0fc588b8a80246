"""Clusters: rows of which one was kept for all, counted and shown."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

SHOWN = 10
"""Largest clusters that are shown."""
EXAMPLES = 3
"""Rows shown of each."""
LONG = 1000
"""Most characters shown of a row; a longer one is cut where a sentence ends, so that nothing private is cut in half
and no longer known for what it is."""
HELD = 1000
"""Clusters whose examples are held; when there are more, only those of the largest stay."""
_SENTENCE_END = re.compile(r"[.!?]\s|[。！？\n]")


class Clusters:
    """Counts the rows set aside for each row kept, and holds examples of the largest clusters.

    Example:
        >>> found = Clusters()
        >>> found.add("a:1", "a:7", "hi")
        >>> found.report()["sizes"]
        {'2': 1}
    """

    def __init__(self) -> None:
        self._gone: Counter[str] = Counter()
        self._examples: dict[str, list[dict[str, str]]] = {}

    def add(self, kept: str, origin: str, text: str) -> None:
        """Count a row that was set aside.

        Args:
            kept: Origin of the row that was kept for it.
            origin: Its own.
            text: What it says.
        """
        self._gone[kept] += 1
        self.show(kept, origin, text)

    def show(self, kept: str, origin: str, text: str) -> None:
        """Take a row of a cluster as an example, where there is room, without counting it."""
        examples = self._examples.setdefault(kept, [])
        if len(examples) < EXAMPLES:
            examples.append({"origin": origin, "text": _cut(text)})
        if len(self._examples) > HELD:
            self._examples = {name: self._examples[name] for name in self._largest(HELD // 10, self._examples)}

    def report(self) -> dict[str, Any]:
        """How many clusters there are, how many of which size (the kept row among them), and the largest."""
        sizes = Counter(gone + 1 for gone in self._gone.values())
        return {
            "clusters": len(self._gone),
            "sizes": {str(size): count for size, count in sorted(sizes.items())},
            "largest": [
                {"rows": self._gone[kept] + 1, "kept": kept, "examples": self._examples.get(kept, [])}
                for kept in self._largest(SHOWN, self._gone)
            ],
        }

    def _largest(self, count: int, among: dict[str, Any]) -> list[str]:
        return sorted(among, key=lambda kept: -self._gone[kept])[:count]


def _cut(text: str) -> str:
    if len(text) <= LONG:
        return text
    ends = [found.end() for found in _SENTENCE_END.finditer(text, 0, LONG)]
    return text[: ends[-1] if ends else 0] + "…"
