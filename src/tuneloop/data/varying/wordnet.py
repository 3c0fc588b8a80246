"""WordNet: which English words mean the same in their chief sense, read from a copy of it on disk.

Three forms are read: the ``dict`` folder of Princeton's WordNet (``data.noun``, ``index.noun`` …, as the Debian package
wordnet-base installs it in ``/usr/share/wordnet``), Open English WordNet as YAML, JSON or XML, and a list of synsets,
one JSON object a line with ``members`` and ``pos``.
"""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import IO, Any
from xml.etree import ElementTree

from tuneloop.errors import DataError

USUAL = 2
POS = ("noun", "verb", "adj", "adv")
Key = tuple[str, str]
"""A word in small letters and its part of speech: n, v, a or r."""
_PLAIN = re.compile("[a-z]{2,}")
_FIX = (
    "name the dict folder of WordNet (the Debian package wordnet-base has it in /usr/share/wordnet), a release of Open "
    "English WordNet (en-word.net: YAML, JSON or XML), or a file with a JSON object a line: {members: [...], pos: n}"
)


@dataclass
class Senses:
    """What a WordNet says, as far as it is needed.

    Attributes:
        synsets: The words of each synset.
        order: For each word its synsets, the most frequent sense first.
        ordered: Whether that order is known.
    """

    synsets: dict[str, tuple[str, ...]] = field(default_factory=dict)
    order: dict[Key, list[str]] = field(default_factory=lambda: defaultdict(list))
    ordered: bool = True


class WordNet:
    """Synonyms of English words, each in its chief sense.

    Two words count as synonyms if the chief sense of both is the same synset. Where the order of senses is not known
    (a list of synsets), they must share most senses of each. Odd words are not
    put in: one counts as usual if it has several senses or stands in several expressions (``bank account``).

    Args:
        senses: What the copy on disk says.
    """

    def __init__(self, senses: Senses) -> None:
        self._synonyms = {}
        self._pos: dict[str, set[str]] = defaultdict(set)
        for word, pos in senses.order:
            self._pos[word].add(pos)
        usual = _usual(senses)
        for key, ids in senses.order.items():
            if _PLAIN.fullmatch(key[0]):
                found = tuple(other for other in _candidates(key, ids, senses) if usual[other] >= USUAL)
                if found:
                    self._synonyms[key] = found

    def __len__(self) -> int:
        return len(self._synonyms)

    def synonyms(self, word: str, pos: str) -> tuple[str, ...]:
        """The synonyms of a word (its dictionary form) as a part of speech."""
        return self._synonyms.get((word, pos), ())

    def parts_of_speech(self, word: str) -> set[str]:
        """What a word (a dictionary form) can be: n, v, a, r."""
        return self._pos.get(word, set())


def open_wordnet(path: Path) -> WordNet:
    """Read a WordNet; the last ones read are remembered until their files change.

    Raises:
        DataError: There is none, or it has another form.
    """
    try:
        files = sorted(file for file in path.iterdir() if file.is_file()) if path.is_dir() else [path]
        stamp = tuple((str(file), file.stat().st_mtime_ns, file.stat().st_size) for file in files)
    except OSError as error:
        raise DataError(f"there is no WordNet: {error.strerror}", where=str(path), fix=_FIX) from error
    return _opened(path, stamp)


@lru_cache(maxsize=2)
def _opened(path: Path, stamp: tuple[tuple[str, int, int], ...]) -> WordNet:
    files = [Path(name) for name, _, _ in stamp]
    names = {file.name for file in files}
    try:
        if (path / "dict" / "data.noun").is_file():
            return _opened(path / "dict", stamp)
        if "data.noun" in names:
            found = _princeton(path)
        elif any(name.startswith("entries-") for name in names):
            found = _entries(files)
        elif len(files) == 1 and ".xml" in files[0].suffixes:
            found = _lmf(files[0])
        else:
            found = _listed(files)
    except (OSError, ValueError, KeyError, IndexError, TypeError, AttributeError, ElementTree.ParseError) as error:
        raise DataError(f"it cannot be read as a WordNet: {error!r}", where=str(path), fix=_FIX) from error
    wordnet = WordNet(found)
    if not len(wordnet):
        raise DataError("it holds no two words that mean the same", where=str(path), fix=_FIX)
    return wordnet


def _candidates(key: Key, ids: list[str], senses: Senses) -> Iterable[str]:
    word, pos = key
    if senses.ordered:
        members = senses.synsets.get(ids[0], ())
        return [other for other in members if other != word and senses.order[other, pos][0] == ids[0]]
    shared: dict[str, int] = defaultdict(int)
    for id in ids:
        for other in senses.synsets[id]:
            shared[other] += other != word
    return [other for other, count in shared.items() if 2 * count > max(len(ids), len(senses.order[other, pos]))]


def _usual(senses: Senses) -> Counter[str]:
    """How usual each single word seems: its senses beyond the first, and the expressions that it is part of."""
    found: Counter[str] = Counter()
    for (word, _), ids in senses.order.items():
        parts = word.replace("-", " ").split()
        if len(parts) > 1:
            found.update(parts)
        elif _PLAIN.fullmatch(word):
            found[word] += len(ids)
    return Counter({word: count - 1 for word, count in found.items() if _PLAIN.fullmatch(word)})


def _princeton(folder: Path) -> Senses:
    """Princeton's database: ``index`` lines give the senses of a word in the order of frequency (wndb(5WN))."""
    found = Senses()
    for name in POS:
        pos = "r" if name == "adv" else name[0]
        for fields in _lines(folder / f"data.{name}"):
            count = int(fields[3], 16)
            words = (re.sub(r"\((?:a|p|ip)\)$", "", word) for word in fields[4 : 4 + 2 * count : 2])
            found.synsets[pos + fields[0]] = tuple(dict.fromkeys(map(_small, words)))
        for fields in _lines(folder / f"index.{name}"):
            senses = int(fields[2])
            found.order[_small(fields[0]), pos] = [pos + offset for offset in fields[-senses:]]
    return found


def _lines(path: Path) -> Iterator[list[str]]:
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            if not line.startswith("  "):  # the licence stands in front, each line behind two blanks
                yield line.partition(" | ")[0].split()


def _entries(files: list[Path]) -> Senses:
    """Open English WordNet in YAML or JSON: ``entries-*`` list the senses of a word, the most frequent first."""
    found = Senses()
    for file in files:
        if file.suffix not in (".yaml", ".yml", ".json"):
            continue
        for name, entry in _parsed(file).items():
            if file.name.startswith("entries-"):
                for pos, said in entry.items():
                    known = found.order[_small(name), _pos(pos)]
                    known += [sense["synset"] for sense in said["sense"]]
            elif isinstance(entry, dict) and "members" in entry:
                found.synsets[name] = tuple(dict.fromkeys(map(_small, entry["members"])))
    return found


def _parsed(file: Path) -> dict[str, Any]:
    with file.open("rb") as opened:
        if file.suffix == ".json":
            return dict(json.load(opened))
        import yaml

        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the one in C is ten times as quick
        return dict(loader(opened).get_single_data())


def _lmf(file: Path) -> Senses:
    """Open English WordNet in XML (the format of the Global WordNet Association)."""
    found = Senses()
    members: dict[str, list[str]] = defaultdict(list)
    with _unpacked(file) as opened:
        for _, node in ElementTree.iterparse(opened):  # noqa: S314 - a file that the recipe's author chose
            if node.tag == "LexicalEntry":
                lemma = node.find("Lemma")
                if lemma is not None:
                    key = (_small(lemma.attrib["writtenForm"]), _pos(lemma.attrib["partOfSpeech"]))
                    senses = [sense.attrib["synset"] for sense in node.iter("Sense")]
                    found.order[key] += senses
                    for id in senses:
                        members[id].append(key[0])
                node.clear()
    found.synsets = {id: tuple(dict.fromkeys(words)) for id, words in members.items()}
    return found


def _listed(files: list[Path]) -> Senses:
    """Synsets one a line; which sense of a word is frequent they do not say."""
    found = Senses(ordered=False)
    for file in files:
        if ".jsonl" not in file.suffixes:
            continue
        with _unpacked(file) as opened:
            for number, line in enumerate(opened):
                synset = json.loads(line)
                pos = _pos(synset["pos"])
                words = tuple(dict.fromkeys(map(_small, synset["members"])))
                found.synsets[f"{file.name}:{number}"] = words
                for word in words:
                    found.order[word, pos].append(f"{file.name}:{number}")
    return found


def _unpacked(file: Path) -> IO[bytes]:
    return gzip.open(file) if file.suffix == ".gz" else file.open("rb")  # type: ignore[return-value]


def _small(word: str) -> str:
    return word.replace("_", " ").lower()


def _pos(pos: str) -> str:
    return "a" if pos[0] == "s" else pos[0]
