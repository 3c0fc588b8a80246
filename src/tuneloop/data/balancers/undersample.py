"""Undersample: rows of frequent labels are set aside until few enough are left."""

from __future__ import annotations

import math
from collections import Counter
from typing import final

from tuneloop.data.balancers import Balancer


@final
class Undersample(Balancer):
    """Sets rows of the labels aside that have more than the rarest one allows; which ones is drawn."""

    def wanted(self, counts: Counter[object]) -> dict[object, int]:
        """At most so many that the rarest label keeps its ratio to them.

        Example:
            >>> Undersample(ratio=0.5).wanted(Counter(good=10, bad=2))
            {'good': 4, 'bad': 2}
        """
        most = math.floor(min(counts.values()) / self.ratio)
        return {label: min(count, most) for label, count in counts.items()}
