"""Oversample: rows of rare labels are copied until there are enough."""

from __future__ import annotations

import math
from collections import Counter
from typing import final

from tuneloop.data.balancers import Balancer


@final
class Oversample(Balancer):
    """Copies rows of the labels that have fewer; every row is taken before any is taken once more."""

    def wanted(self, counts: Counter[object]) -> dict[object, int]:
        """At least the ratio of the most frequent label.

        Example:
            >>> Oversample(ratio=0.5).wanted(Counter(good=10, bad=2))
            {'good': 10, 'bad': 5}
        """
        least = math.ceil(max(counts.values()) * self.ratio)
        return {label: max(count, least) for label, count in counts.items()}
