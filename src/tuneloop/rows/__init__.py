"""Rows: the small unchanging values that flow through every stage, one JSON line each."""

from tuneloop.rows.exchange import Exchange
from tuneloop.rows.feedback import Feedback
from tuneloop.rows.finding import Finding
from tuneloop.rows.record import Chat, Content, Drop, Labeled, Message, Preference, Record, Text, ToolCall
from tuneloop.rows.signal import Signal

__all__ = [
    "Chat",
    "Content",
    "Drop",
    "Exchange",
    "Feedback",
    "Finding",
    "Labeled",
    "Message",
    "Preference",
    "Record",
    "Signal",
    "Text",
    "ToolCall",
]
