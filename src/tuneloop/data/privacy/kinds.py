"""Which kinds a transform looks for unless told otherwise, and what stands in their place."""

from __future__ import annotations

from tuneloop.data.detectors import Detector, Span
from tuneloop.parts import find, names


def kinds_of(transform: str) -> list[Detector]:
    """The detectors that a transform uses by default, by name.

    Example:
        >>> [kind.name for kind in kinds_of("secrets")][:2]
        ['api_key', 'bearer_token']
    """
    found = [find(Detector, name) for name in names(Detector)]
    return [kind() for kind in found if transform in kind.used_by]


def mask(span: Span, _value: str = "") -> str:
    """The placeholder of a find.

    Example:
        >>> mask(Span(0, 3, "email", 1.0))
        '[EMAIL]'
    """
    return f"[{span.kind.upper()}]"
