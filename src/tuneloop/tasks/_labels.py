"""Labels: which one a row has, in what order they stand, and the ids that it is read from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from tuneloop.rows import Chat, Content, Labeled

if TYPE_CHECKING:
    from tuneloop.models import Tokenizer


def found(content: Content, names: Sequence[str] | None) -> str | None:
    """The label of a row, by name; None if it has none.

    Args:
        content: A text with a label, or a conversation whose last turn is the assistant's.
        names: The labels; a whole number that is no name is the place of one, 0 being the first.

    Example:
        >>> found(Labeled("good", 1), ["negative", "positive"]), found(Labeled("good", 1), None)
        ('positive', '1')
    """
    if isinstance(content, Chat):
        last = content.messages[-1]
        label = last.content.strip() if last.role == "assistant" and len(content.messages) > 1 else ""
    elif isinstance(content, Labeled):
        plain = content.label
        if isinstance(plain, float):
            if not plain.is_integer():
                return None
            plain = int(plain)
        label = str(plain).strip()
    else:
        return None
    if names and label not in names and label.isdecimal() and int(label) < len(names):
        return names[int(label)]
    return label or None


def ordered(labels: Iterable[str]) -> list[str]:
    """Labels in the order of their logits: numbers by value, names by letters.

    Example:
        >>> ordered(["10", "9"]), ordered(["spam", "ham", "10"])
        (['9', '10'], ['10', 'ham', 'spam'])
    """
    known = set(labels)
    return sorted(known, key=int) if all(label.isdecimal() for label in known) else sorted(known)


def asked(content: Labeled | Chat, tokenizer: Tokenizer) -> list[int]:
    """Ids that the label is read from: the text as the tokenizer reads it, or the turns before the last answer.

    A row never ends with the id of padding, by which decoders know where it ends.

    Raises:
        RecordError: The chat template refuses the conversation.
    """
    if isinstance(content, Labeled):
        ids = tokenizer.text_ids(content.text)
    else:
        ids = tokenizer.chat_ids(content.messages[:-1], content.tools, generation=True)
    while ids and ids[-1] == tokenizer.pad_id:
        ids.pop()
    return ids


def shortened(ids: list[int], max_length: int, tokenizer: Tokenizer, chat: bool) -> list[int]:
    """Fit a row into ``max_length``, the control tokens at both ends spared.

    Args:
        ids: The row.
        max_length: Tokens of the longest row.
        tokenizer: It knows the control tokens.
        chat: A conversation loses its beginning, a text its end.
    """
    if len(ids) <= max_length:
        return ids
    if chat:
        head = 1 if ids[0] == tokenizer.hf.bos_token_id else 0
        return ids[:head] + ids[head - max_length :]
    empty = tokenizer.text_ids("")  # the control tokens at both ends
    tail = next((size for size in range(len(empty), 0, -1) if ids[-size:] == empty[-size:]), 0)
    return ids[: max_length - tail] + ids[len(ids) - tail :]
