"""Writes the tables of ordinary words, with which a name competes; names of people stay out of them.

``python -m tuneloop.data.names.build chinese dict.txt`` takes jieba's dictionary (MIT licence, see
``tables/LICENSE-jieba.txt``). ``… build english FOLDER...`` counts the words of docstrings and comments in Python
packages; the shipped table is of the standard library (PSF licence), torch, numpy, pandas and scikit-learn (BSD) and
transformers (Apache-2.0). Both are read once, by a developer; the product needs only the small tables.
"""

from __future__ import annotations

import ast
import lzma
import math
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

from tuneloop.data.names import TABLES, sections
from tuneloop.data.names.chinese import ABROAD

NO_PERSON = tuple("性部区县化感院团湖山路桥河法画章塔堂品馆书军市物店油镇乡村派式者员树石鱼花草藻病炎菌线带机器")


WORD = re.compile(r"(?<![A-Za-z0-9_.])[a-z]{3,18}(?![A-Za-z0-9_])")
FEWEST = 6
FILES = 2


def english(folders: list[Path]) -> None:
    """Write ``tables/en_common.xz``: lower-case words that occur often enough, in texts of several files.

    Args:
        folders: Folders with Python packages.
    """
    words: Counter[str] = Counter()
    files: Counter[str] = Counter()
    for path in sorted(path for folder in folders for path in folder.rglob("*.py")):
        found = Counter(WORD.findall("\n".join(_prose(path))))
        words += found
        files.update(found.keys())
    common = sorted(word for word, count in words.items() if count >= FEWEST and files[word] >= FILES)
    (TABLES / "en_common.xz").write_bytes(lzma.compress("\n".join(common).encode(), preset=9))


def _prose(path: Path) -> Iterator[str]:
    """Docstrings of a Python file, and its comments of several words."""
    try:
        tree = ast.parse(text := path.read_text("utf-8"))
    except (SyntaxError, UnicodeDecodeError, ValueError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield ast.get_docstring(node) or ""
    yield from re.findall(r"# (\w+ \w+ \w+.*)", text)


def chinese(dictionary: Path) -> None:
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
    paths = [Path(path) for path in sys.argv[2:]]
    english(paths) if sys.argv[1] == "english" else chinese(paths[0])
