"""The finder: several detectors over one text, quick where there is nothing, and of one mind where they overlap."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence

from tuneloop.data.detectors import Detector, Span
from tuneloop.data.detectors._text import plain, wide

_CLOSE = re.compile(r"\d(?:[ .()/·\-\u2010-\u2015\u3000\xa0（）]{0,3}\d)+")
_PLACEHOLDER = r"\[[A-Z][A-Z_]*(?::[a-z2-9]+)?\]"
_DIGIT = re.compile(r"\d")
_ROUNDS = 20
_GONE = "\ufffc"


class Finder:
    """Finds data of several kinds in texts.

    Args:
        detectors: One for each kind.

    Example:
        >>> from tuneloop.data.detectors.email import Email
        >>> Finder([Email()]).replaced("from ann@example.com", lambda span, value: "[EMAIL]")
        'from [EMAIL]'
    """

    def __init__(self, detectors: Sequence[Detector]) -> None:
        self._detectors = [(each, each.cues, each.digits, each.unbroken) for each in detectors]
        self._fewest = min((each.digits for each in detectors if each.digits > 1), default=0)
        lengths = [each.unbroken for each in detectors if each.unbroken]
        self._run = re.compile(rf"[0-9A-Za-z_-]{{{min(lengths, default=1)}}}")
        ours = [_PLACEHOLDER, *(each.stand_in for each in detectors if each.stand_in)]
        self._ours = re.compile("|".join(f"(?:{form})" for form in ours))

    def spans(self, text: str, called: str = "") -> list[Span]:
        """Where something stands in a text.

        Args:
            text: The text.
            called: What the text is called where it stands (the name of its column), which helps to know it.

        Returns:
            Spans that do not overlap, from left to right. Of overlapping ones the surest is taken, of equally sure
            ones the longest, then the first.
        """
        if wide(text):
            text = plain(text)
        asked = self._asked(text)
        if not asked:
            return []
        head = f"{called.replace('_', ' ')}: " if called else ""
        text = head + plain(text)
        found = [span for detector in asked for span in detector.find(text)]
        if found:  # once more without what stands for data already: looked for only now, since finds are rare
            blanked = self._ours.sub(_blanked, text)
            if blanked != text:
                found = [span for detector in asked for span in detector.find(blanked)]
        return _chosen(found, len(head))

    def replaced(self, text: str, put: Callable[[Span, str], str], called: str = "") -> str:
        """The text with every find replaced, until nothing is found any more.

        Args:
            text: The text.
            put: Gives what stands for a find, from its span and its value.
            called: As for :meth:`spans`.
        """
        for _ in range(_ROUNDS):  # what stood beside a find may be one now; twice is nearly always enough
            spans = self.spans(text, called)
            if not spans:
                break
            pieces, end = [], 0
            for span in spans:
                pieces += [text[end : span.start], put(span, text[span.start : span.end])]
                end = span.end
            text = "".join([*pieces, text[end:]])
        return text

    def _asked(self, text: str) -> list[Detector]:
        """The detectors whose conditions the text meets; each condition is looked at once, and only if need be."""
        close = run = -1
        digit = _DIGIT.search(text) is not None
        asked = []
        for detector, cues, digits, unbroken in self._detectors:
            if digits and not digit:
                continue
            if cues and not _has(text, cues):
                continue
            if digits > 1:
                close = _close_digits(text, self._fewest) if close < 0 else close
                if close < digits:
                    continue
            if unbroken:
                run = self._run.search(text) is not None if run < 0 else run
                if not run:
                    continue
            asked.append(detector)
        return asked


def _has(text: str, cues: tuple[str, ...]) -> bool:
    for cue in cues:  # noqa: SIM110 - twice as fast as any(), and this is asked of every text
        if cue in text:
            return True
    return False


def _close_digits(text: str, fewest: int) -> int:
    """The most digits that stand close together in the text."""
    return max((sum(map(str.isdigit, run)) for run in _CLOSE.findall(text) if len(run) >= fewest), default=0)


def _blanked(found: re.Match[str]) -> str:
    return _GONE * len(found[0])


def _chosen(spans: Iterable[Span], head: int) -> list[Span]:
    """The spans that stand, where several overlap, moved left by a head that is not part of the text."""
    taken: list[Span] = []
    for span in sorted(spans, key=lambda span: (-span.certainty, span.start - span.end, span.start, span.kind)):
        at = bisect_left(taken, span.start, key=_start)
        before = taken[at - 1].end if at else head
        after = taken[at].start if at < len(taken) else span.end
        if before <= span.start < span.end <= after:
            taken.insert(at, span)
    return [Span(span.start - head, span.end - head, span.kind, span.certainty) for span in taken]


def _start(span: Span) -> int:
    return span.start
