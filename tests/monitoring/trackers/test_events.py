"""Event files: TensorBoard's own reader finds in them what was written."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import pytest

from tuneloop.monitoring.trackers import About, _events
from tuneloop.monitoring.trackers.tensorboard import TensorBoard
from tuneloop.rows import Signal

ABOUT = About("faq", "0123456789abcdef", "", {})


def read(folder: Path) -> Any:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    found = accumulator.EventAccumulator(str(folder), size_guidance={"scalars": 0, "tensors": 0, "images": 0})
    found.Reload()
    return found


def signals(first: int, last: int) -> list[Signal]:
    rows = []
    for step in range(first, last + 1):
        rows.append(Signal(step, "train/loss", 3.0 / (step + 1), 100.0 + step))
        rows.append(Signal(step, "train/grad_norm/layers.00", 0.1 * step + 0.1, 100.0 + step))
    return rows


def test_scalars_answers_and_the_picture_of_all_layers_are_read_back(tmp_path: Path) -> None:
    journal = TensorBoard(folder=str(tmp_path)).open(ABOUT)
    assert journal.log(signals(0, 300)) == 602
    samples = tmp_path / "samples.jsonl"
    samples.write_text('{"step": 7, "prompt": "what?", "answer": "这个"}\n', encoding="utf-8")
    journal.finish({"samples.jsonl": samples}, {"run": "run-1"})
    journal.close()
    found = read(tmp_path / "faq" / ABOUT.key[:20])
    losses = found.Scalars("train/loss")
    assert [each.step for each in losses] == list(range(301))
    assert [each.wall_time for each in losses[:2]] == [100.0, 101.0]
    assert losses[3].value == struct.unpack("<f", struct.pack("<f", 0.75))[0]
    (answer,) = found.Tensors("samples")
    assert (answer.step, answer.tensor_proto.string_val[0].decode()) == (7, "**what?**\n\n这个")
    (picture,) = found.Images("train/grad_norm by layer")
    assert picture.encoded_image_string[:8] == b"\x89PNG\r\n\x1a\n"
    assert (picture.width, picture.height) == struct.unpack(">II", picture.encoded_image_string[16:24])


def test_a_file_that_is_opened_again_holds_every_figure_once(tmp_path: Path) -> None:
    tracker = TensorBoard(folder=str(tmp_path))
    first = tracker.open(ABOUT)
    first.log(signals(0, 20))
    first.close()
    again = tracker.open(ABOUT)
    again.log(signals(0, 10))
    again.log(signals(5, 30))  # made again after a checkpoint
    again.close()
    found = read(tmp_path / "faq" / ABOUT.key[:20])
    assert [each.step for each in found.Scalars("train/loss")] == list(range(31))


def test_the_checksum_is_the_one_of_the_standard() -> None:
    assert _events._crc(b"123456789") == 0xE3069283
    assert _events._crc(bytes(32)) == 0x8A9136AA  # RFC 3720, appendix B.4
