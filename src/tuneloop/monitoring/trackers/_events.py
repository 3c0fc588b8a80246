"""Event files as TensorBoard reads them: records with checksums, each a protocol buffer of a few fields.

Source:
    tensorflow/core/util/event.proto, tensorflow/core/framework/summary.proto, and the record format of
    tensorflow/core/lib/io/record_writer: length, masked CRC-32C of the length, data, masked CRC-32C of the data.
"""

from __future__ import annotations

import struct
from functools import cache

STRING = 7
"""The type of text in a tensor."""


def record(data: bytes) -> bytes:
    """One record of an event file."""
    length = struct.pack("<Q", len(data))
    return length + struct.pack("<I", _masked(length)) + data + struct.pack("<I", _masked(data))


def head(time: float) -> bytes:
    """The first event of a file.

    Args:
        time: Seconds since 1970.
    """
    return _field(1, time) + _field(3, b"brain.Event:2")


def scalar(name: str, value: float, step: int, time: float) -> bytes:
    """An event with one number."""
    return _event(_field(1, name.encode()) + _tag(2, 5) + struct.pack("<f", value), step, time)


def text(name: str, value: str, step: int, time: float) -> bytes:
    """An event with a text, in Markdown."""
    plugin = _field(1, _field(1, b"text"))
    tensor = _field(1, STRING) + _field(2, _field(2, _field(1, 1))) + _field(8, value.encode())
    return _event(_field(1, name.encode()) + _field(9, plugin) + _field(8, tensor), step, time)


def image(name: str, png: bytes, width: int, height: int, step: int, time: float) -> bytes:
    """An event with a picture; width and height in pixels."""
    picture = _field(1, height) + _field(2, width) + _field(3, 4) + _field(4, png)
    return _event(_field(1, name.encode()) + _field(4, picture), step, time)


def _event(value: bytes, step: int, time: float) -> bytes:
    return _field(1, time) + _field(2, step) + _field(5, _field(1, value))


def _field(number: int, value: float | int | bytes) -> bytes:
    """A field: a double, a whole number, or bytes with their length."""
    if isinstance(value, float):
        return _tag(number, 1) + struct.pack("<d", value)
    if isinstance(value, int):
        return _tag(number, 0) + _whole(value)
    return _tag(number, 2) + _whole(len(value)) + value


def _tag(number: int, kind: int) -> bytes:
    return _whole(number << 3 | kind)


def _whole(value: int) -> bytes:
    """A whole number in groups of seven bits, the lowest first."""
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    found.append(value)
    return bytes(found)


def _masked(data: bytes) -> int:
    """The CRC-32C of some bytes, turned and shifted as TensorFlow does.

    Example:
        >>> hex(_crc(b"123456789"))
        '0xe3069283'
    """
    crc = _crc(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def _crc(data: bytes) -> int:
    table, crc = _table(), 0xFFFFFFFF
    for byte in data:
        crc = table[(crc ^ byte) & 255] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


@cache
def _table() -> list[int]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return table
