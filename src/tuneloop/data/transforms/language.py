"""Language: rows in other languages than those wanted are set aside."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import ClassVar, Literal, final

from pydantic import Field, field_validator

from tuneloop.data.languages import CODES, NAMES, chinese_form, weigh
from tuneloop.data.sides import spoken
from tuneloop.data.transforms import Transform
from tuneloop.rows import Drop, Record

LEADING = 0.4
"""Likelihood that one of several languages of a script must have: where many are a little likely, none is."""


@final
class Language(Transform):
    """Tells the language that most of a row is in, questions and answers together; system and tool turns do not count.

    In doubt a row stays: it goes only where another language is certain enough. A row in no language, such as numbers,
    code or an address, is undecided.
    """

    rowwise: ClassVar[bool] = True

    keep: list[str] = Field(["en", "zh"], min_length=1)
    """Languages that stay, as ISO 639-1 codes (``en``, ``zh``, ``fr`` …)."""
    confidence: float = Field(0.98, gt=0, le=1)
    """How sure it must be that a row is in none of them before it is set aside."""
    undecided: Literal["keep", "drop"] = "keep"
    """What becomes of rows in no language, and of those where no language is certain enough."""

    @field_validator("keep")
    @classmethod
    def _are_known(cls, keep: list[str]) -> list[str]:
        unknown = [code for code in keep if code not in CODES]
        if unknown:
            meant = {code: NAMES.get(code.strip().lower()) or NAMES.get(code[:2].lower()) for code in unknown}
            hints = [f"for {code} write {told}" for code, told in meant.items() if told]
            raise ValueError(
                f"{', '.join(map(repr, unknown))} {'are no codes' if len(unknown) > 1 else 'is no code'} of languages "
                f"that are told apart; {'; '.join(hints) + '; ' if hints else ''}known are {', '.join(sorted(CODES))}"
            )
        return keep

    def run(self, records: Iterable[Record]) -> Iterator[Record | Drop]:
        """Pass on what is in a wanted language."""
        for record in records:
            reason = self.reason(" \n".join(spoken(record.content)))
            yield Drop(reason, self.name, record.origin, id=record.id) if reason else record

    def reason(self, text: str) -> str:
        """Why a text does not stay; empty if it does. What it is in is counted.

        Example:
            >>> Language().reason("Quelle est la capitale de la France et combien d'habitants a-t-elle ?")
            'in another language: fr'
        """
        shares = weigh(text)
        likeliest = next(iter(shares), "")
        other = 1 - sum(shares.get(language, 0.0) for language in self.keep)
        certain = other == 1 or (other >= self.confidence and shares[likeliest] >= LEADING)
        if not shares or (likeliest not in self.keep and not certain):
            self.tally["undecided"] += 1
            return "in no language that is certain" if self.undecided == "drop" else ""
        self.tally[f"zh {chinese_form(text)}" if likeliest == "zh" else likeliest] += 1
        return "" if likeliest in self.keep else f"in another language: {likeliest}"
