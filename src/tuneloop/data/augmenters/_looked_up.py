"""Augmenters that look words up in a thesaurus: what they share."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from tuneloop.data.augmenters._worded import Worded
from tuneloop.data.varying.thesaurus import Thesaurus, open_lexicon
from tuneloop.data.varying.wordnet import open_wordnet
from tuneloop.errors import DataError


class LookedUp(Worded):
    """Knows words that mean the same."""

    wordnet: str | None = None
    """A copy of WordNet for English: the ``dict`` folder of Princeton's (``/usr/share/wordnet`` from the Debian package
    wordnet-base), Open English WordNet in YAML, JSON or XML, or a list of synsets, one JSON object a line."""
    lexicon: str | None = None
    """Synonyms for Chinese: a text file with one group of words a line; Cilin's form is read too."""

    def reads(self) -> tuple[str, ...]:
        """The WordNet and the lexicon.

        Raises:
            DataError: There is neither.
        """
        if self.wordnet is None and self.lexicon is None:
            raise DataError(
                "it has no words to look up",
                where=f"data.augment.by.{self.name}",
                fix="give wordnet: for English (/usr/share/wordnet after apt install wordnet-base, or a release from "
                "en-word.net), lexicon: for Chinese (a file, one group of synonyms a line), or both",
            )
        return tuple(path for path in (self.wordnet, self.lexicon) if path is not None)

    @cached_property
    def thesaurus(self) -> Thesaurus:
        """The words of both."""
        english = open_wordnet(self._path(self.wordnet)) if self.wordnet else None
        return Thesaurus(english, self._chinese)

    @property
    def chinese_words(self) -> frozenset[str]:
        """The words of the lexicon."""
        return self._words

    @cached_property
    def _chinese(self) -> dict[str, tuple[str, ...]]:
        return open_lexicon(self._path(self.lexicon)) if self.lexicon else {}

    def _path(self, path: str) -> Path:
        return self.place.folder / Path(path).expanduser()

    @cached_property
    def _words(self) -> frozenset[str]:
        return frozenset(self._chinese)
