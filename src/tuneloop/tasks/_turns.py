"""Long conversations made to fit: by leaving out turns, by making several pieces, or by cutting the prompt."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import msgspec

from tuneloop.rows import Chat, Message

Pairs: TypeAlias = list[tuple[list[int], list[int]]]
"""Ids of an example, and for each id whether it is learned."""
Encode: TypeAlias = Callable[[Chat, list[int]], Pairs]
"""Encodes a conversation and the positions of its learned turns."""


def exchanges(messages: tuple[Message, ...]) -> tuple[list[int], list[list[int]]]:
    """Divide a conversation into its system turns at the front and exchanges that each begin with a user turn.

    Returns:
        Positions of the system turns, and of the turns of each exchange.

    Example:
        >>> exchanges((Message("system"), Message("user"), Message("assistant"), Message("user")))
        ([0], [[1, 2], [3]])
    """
    front: list[int] = []
    parts: list[list[int]] = []
    for place, message in enumerate(messages):
        if message.role == "system" and not parts:
            front.append(place)
        elif not parts or (message.role == "user" and messages[place - 1].role != "user"):
            parts.append([place])
        else:
            parts[-1].append(place)
    return front, parts


def shortened(content: Chat, learned: list[int], max_length: int, encode: Encode) -> Pairs:
    """Leave out the oldest exchanges until the rest fits; empty if not even the last one does."""
    front, parts = exchanges(content.messages)
    for first in range(1, len(parts)):
        pairs = _part(content, front + [place for part in parts[first:] for place in part], learned, encode)
        if pairs and _fits(pairs, max_length):
            return pairs
    return []


def pieces(content: Chat, learned: list[int], max_length: int, encode: Encode) -> Pairs:
    """Divide a conversation into pieces of whole exchanges that fit, each behind the system turns.

    Returns:
        All examples; empty if one exchange alone does not fit.
    """
    front, parts = exchanges(content.messages)
    done: Pairs = []
    held: list[int] = []
    open_pairs: Pairs = []
    for part in parts:
        longer = _part(content, front + held + part, learned, encode)
        if held and not _fits(longer, max_length):
            done += open_pairs
            held, longer = [], _part(content, front + part, learned, encode)
        if not _fits(longer, max_length):
            return []
        held, open_pairs = held + part, longer
    return done + open_pairs


def cut_left(pairs: Pairs, max_length: int, bos: int | None) -> Pairs:
    """Cut the beginning of a prompt, its beginning token spared; empty if nothing but the answer would be left."""
    cut: Pairs = []
    for ids, learn in pairs:
        head = 1 if ids[0] == bos else 0
        tail = max_length - head
        if learn.index(1) < len(ids) - tail + 1:
            return []
        cut.append((ids[:head] + ids[-tail:], learn[:head] + learn[-tail:]))
    return cut


def _part(content: Chat, places: list[int], learned: list[int], encode: Encode) -> Pairs:
    turns = [new for new, old in enumerate(places) if old in learned]
    part = msgspec.structs.replace(content, messages=tuple(content.messages[place] for place in places))
    return encode(part, turns) if turns else []


def _fits(pairs: Pairs, max_length: int) -> bool:
    return all(len(ids) <= max_length for ids, _ in pairs)
