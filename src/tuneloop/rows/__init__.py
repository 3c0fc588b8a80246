"""Rows: the small unchanging values that flow through every stage, one JSON line each."""

from tuneloop.rows.exchange import Exchange
from tuneloop.rows.feedback import Feedback
from tuneloop.rows.finding import Finding
from tuneloop.rows.record import (
    Chat,
    Content,
    Drop,
    Fields,
    Labeled,
    Message,
    Preference,
    Record,
    Scalar,
    Text,
    ToolCall,
)
from tuneloop.rows.signal import Signal

__all__ = [
    "Chat",
    "Content",
    "Drop",
    "Exchange",
    "Feedback",
    "Fields",
    "Finding",
    "Labeled",
    "Message",
    "Preference",
    "Record",
    "Scalar",
    "Signal",
    "Text",
    "ToolCall",
]
