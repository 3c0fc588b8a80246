"""Driver of the data benchmark: the script of many tutorials, ``datasets`` with datasketch."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

from bench.drivers.rows import Work, plain, side, tell

PERMUTATIONS = 128


def mend(row: dict[str, str]) -> dict[str, str]:
    """Normalise and mask."""
    return {name: plain(text) for name, text in row.items()}


def english(row: dict[str, str]) -> bool:
    """Whether a row is English."""
    import py3langid

    return bool(py3langid.classify("\n".join(row.values()))[0] == "en")


def sketch(row: dict[str, str]) -> dict[str, Any]:
    """The MinHash of a row's pairs of words."""
    from datasketch import MinHash

    words = " ".join(row.values()).lower().split()
    hashed = MinHash(num_perm=PERMUTATIONS)
    hashed.update_batch([f"{a} {b}".encode() for a, b in pairwise(words)])
    return {"sketch": hashed.hashvalues}


def unique(rows: Any) -> list[int]:
    """The rows to keep: those without a near one before them."""
    from datasketch import MinHash, MinHashLSH

    index = MinHashLSH(threshold=0.8, num_perm=PERMUTATIONS)
    kept = []
    for number, values in enumerate(rows.with_format("numpy", columns=["sketch"])):
        hashed = MinHash(num_perm=PERMUTATIONS, hashvalues=values["sketch"], scheme="affine32")
        if not index.query(hashed):
            index.insert(number, hashed)
            kept.append(number)
    return kept


def main() -> None:
    """Prepare the rows."""
    work = Work.read()
    from datasets import load_dataset

    count = work.processes
    folder = Path(work.folder)
    rows = load_dataset("json", data_files=work.rows, split="train", cache_dir=str(folder / "cache"))
    rows = rows.map(mend, num_proc=count).filter(english, num_proc=count)
    rows = rows.select(unique(rows.map(sketch, num_proc=count))).map(lambda row: {"side": side(row["instruction"])})
    for name in ("train", "validation", "test"):
        chosen = rows.filter(lambda row, name=name: row["side"] == name).remove_columns("side")
        chosen.to_parquet(folder / f"{name}.parquet")
    tell(len(rows))


if __name__ == "__main__":
    main()
