"""What the drivers of the data benchmark share: the job, the simplest rules for personal data, and the answer."""

from __future__ import annotations

import hashlib
import json
import re
import sys
import unicodedata
from dataclasses import asdict, dataclass
from pathlib import Path

KINDS = {
    "[EMAIL]": re.compile(r"\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+\b"),
    "[CARD]": re.compile(r"\b(?:\d[ -]?){13,18}\d\b"),
    "[IP]": re.compile(r"\b(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)\b"),
    "[PHONE]": re.compile(r"(?<!\d)(?:\+?\d{1,3}[ .-]?)?(?:\(\d{3}\)|\d{3})[ .-]?\d{3}[ .-]?\d{4}(?!\d)"),
}
"""One regular expression for each kind, as such scripts have them; ours looks for more kinds, and checks digits."""
HELD_OUT = 0.05


@dataclass(frozen=True)
class Work:
    """One run over the rows.

    Attributes:
        rows: The JSON lines.
        shards: A folder with the same rows in as many files as there are processes.
        folder: Where the result goes.
        processes: Processes that may be used.
    """

    rows: str
    shards: str
    folder: str
    processes: int

    @classmethod
    def read(cls) -> Work:
        """The work that the command line names."""
        return cls(**json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))

    def write(self, path: Path) -> None:
        """Write it for :meth:`read`."""
        path.write_text(json.dumps(asdict(self)), encoding="utf-8")


def plain(text: str) -> str:
    """Composed Unicode, and personal data masked."""
    text = unicodedata.normalize("NFC", text).strip()
    for mask, pattern in KINDS.items():
        text = pattern.sub(mask, text)
    return text


def side(question: str) -> str:
    """The split of a row, by a digest of its question."""
    place = int.from_bytes(hashlib.blake2b(question.encode(), digest_size=8).digest(), "big") / 2**64
    return "test" if place < HELD_OUT else "validation" if place < 2 * HELD_OUT else "train"


def tell(kept: int) -> None:
    """Say how many rows came out, as the last line."""
    print(json.dumps({"kept": kept}))
