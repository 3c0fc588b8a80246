"""Writes the table of Chinese words from jieba's dictionary: ``python -m tuneloop.data.names.build dict.txt``.

The dictionary (MIT licence, see ``tables/LICENSE-jieba.txt``) is read once, by a developer; the product needs only
the small table. Names of people stay out of it, so that what it holds are words that a name competes with.
"""

from __future__ import annotations

import lzma
import math
import sys
from collections import defaultdict
from pathlib import Path

from tuneloop.data.names import TABLES, sections
from tuneloop.data.names.chinese import ABROAD

NO_PERSON = tuple("性部区县化感院团湖山路桥河法画章塔堂品馆书军市物店油镇乡村派式者员树石鱼花草藻病炎菌线带机器")


def main(dictionary: Path) -> None:
    """Write ``tables/zh_words.xz``.

    Args:
        dictionary: jieba's ``dict.txt``: word, count and kind on every line.
    """
    surnames = set(sections("zh_names.txt")["surnames"])
    ordinary = set(sections("zh_figures.txt")["ordinary"].split())
    ranks: dict[int, list[str]] = defaultdict(list)
    for line in dictionary.read_text("utf-8").splitlines():
        word, count, kind = line.split()
        if word not in ordinary and _kept(word, int(count), kind, surnames):
            ranks[round(math.log2(int(count)))].append(word)
    text = "\n".join(f"{rank} {' '.join(sorted(words))}" for rank, words in sorted(ranks.items()))
    (TABLES / "zh_words.xz").write_bytes(lzma.compress(text.encode(), preset=9))


def _kept(word: str, count: int, kind: str, surnames: set[str]) -> bool:
    """Whether a word belongs to the table: every frequent one, and rarer ones that begin like a name."""
    if len(word) > 4 or not all("\u4e00" <= char <= "\u9fff" for char in word):
        return False
    if len(word) == 1:
        return count >= 5
    if word[0] in surnames:
        if len(word) == 3 and kind.startswith("nr") and not word.endswith(NO_PERSON):
            return count >= 100 and ABROAD.issuperset(word)
        return count >= (3 if len(word) == 2 else 8)
    return count >= (60 if len(word) <= 3 else 200)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
