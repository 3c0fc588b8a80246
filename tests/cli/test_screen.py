"""Tables and curves line up, also with Chinese; progress is a few calm lines where there is no terminal."""

import pytest

from tuneloop.cli import _progress, _screen
from tuneloop.cli._chart import chart, spark


def test_columns_line_up_with_chinese_in_them(capsys: pytest.CaptureFixture[str]) -> None:
    _screen.table(("name", "rows", "note"), [("问答", 5, "a"), ("faq", 1234, "b")], right=(1,))
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["name  rows  note", "问答     5  a", "faq   1234  b"]


def test_a_row_in_a_pipe_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    _screen.table(("a", "b"), [("x", "word " * 60)])
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_progress_without_a_terminal_is_one_line_a_piece_of_work(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_progress, "_NOTHING_SECONDS", 0.0)
    with _progress.working() as progress:
        progress.start("reading rows", 100)
        for done in range(100):
            progress.advance(done + 1)
        progress.note("three rows were empty")
        progress.start("training", 5)
        progress.advance(5, {"train/loss": 1.25, "train/learning_rate": 2e-4})
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    assert lines[0] == "three rows were empty"
    assert lines[1].startswith("reading rows") and "100" in lines[1]
    assert "loss 1.250  rate 2.0e-04" in lines[2]


def test_long_work_tells_now_and_then(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(_progress.time, "monotonic", lambda: now[0])
    with _progress.working() as progress:
        progress.start("training", 100)
        for step in range(100):
            now[0] += 1.0
            progress.advance(step + 1)
    assert 10 <= len(capsys.readouterr().err.splitlines()) <= 12


def test_work_is_told_with_the_time_it_took_itself_and_not_at_all_if_it_took_none(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr(_progress.time, "monotonic", lambda: now[0])
    with _progress.working() as progress:
        progress.start("looking at the sources")
        progress.advance(1)
        progress.start("writing rows")
        now[0] = 2.0
        progress.advance(56)
        now[0] = 9.0  # what comes next takes its time before it begins
    assert capsys.readouterr().err.split() == ["writing", "rows", "56", "2.0", "s"]


def test_the_end_is_shown_also_when_work_fails(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_progress, "_NOTHING_SECONDS", 0.0)
    with pytest.raises(ZeroDivisionError), _progress.working() as progress:
        progress.start("training", 5)
        raise ZeroDivisionError
    assert capsys.readouterr().err.startswith("training")


def test_a_chart_puts_high_values_above_and_later_steps_to_the_right() -> None:
    lines = chart({"·": [(1, 4.0), (2, 3.0), (3, 2.0), (4, 1.0)]}, width=4, height=4)
    assert [line.split("│")[1] for line in lines[:4]] == ["·", " ·", "  ·", "   ·"]
    assert lines[0].startswith("   4.000")
    assert lines[-1].split() == ["1", "4"]


def test_a_chart_survives_one_point_equal_values_and_no_number() -> None:
    assert chart({"·": []}) == []
    assert any("·" in line for line in chart({"·": [(5, 2.0)]}))
    assert any("·" in line for line in chart({"·": [(1, 2.0), (2, 2.0), (3, float("nan"))]}))
    assert spark([]) == ""
    assert spark([1.0, float("inf"), 1.0]) == "▁ ▁"
