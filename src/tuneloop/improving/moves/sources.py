"""Sources: more rows from places that the recipe offers."""

from __future__ import annotations

import json
from typing import final

from tuneloop.improving.moves import Move, Proposal, Story


@final
class Sources(Move):
    """Adds one of ``improve.sources`` at a time, in their order."""

    def propose(self, story: Story) -> list[Proposal]:
        """Each source that is not among the rows yet."""
        used = story.leading.history.option("data.sources") or []
        paths = [each["path"] if isinstance(each, dict) else each for each in used]
        return [
            Proposal((f"data.sources={json.dumps([*used, path], ensure_ascii=False)}",), f"more rows: {path}")
            for path in story.sources
            if path not in paths
        ]
