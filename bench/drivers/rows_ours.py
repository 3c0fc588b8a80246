"""Driver of the data benchmark: our ``prepare``."""

from __future__ import annotations

import sys
from pathlib import Path

from bench.drivers.rows import HELD_OUT, Work, tell


def main() -> None:
    """Prepare the rows."""
    work = Work.read()
    from tuneloop.data.prepare import prepare
    from tuneloop.data.section import DataSection
    from tuneloop.store import Store

    kinds = ["email", "phone", "card", "ip"] if "--four" in sys.argv else None
    section = DataSection.model_validate(
        {
            "sources": [{"path": work.rows, "format": "alpaca"}],
            "transforms": [
                "normalize",
                {"language": {"keep": ["en"]}},
                {"redact": {"kinds": kinds}} if kinds else "redact",
                "near_duplicates",
            ],
            "split": {"validation": HELD_OUT, "test": HELD_OUT},
            "processes": work.processes,
        }
    )
    folder = Path(work.folder)
    dataset = prepare(section, Store(folder / "store"), seed=0, folder=folder)
    tell(dataset.report["rows"]["kept"])


if __name__ == "__main__":
    main()
