"""Readers give every row of a file, the broken ones with their problem."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tuneloop.data.readers import Raw, Reader
from tuneloop.errors import DataError
from tuneloop.parts import find, names

ROWS = [{"instruction": "say hi", "output": "hi"}, {"instruction": "说", "output": '"好",\n是'}]
small = settings(deadline=None, suppress_health_check=list(HealthCheck))


def read(name: str, path: Path, **options: object) -> list[Raw]:
    return list(find(Reader, name)(**options).rows(path))


def write(path: Path, data: str | bytes) -> Path:
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


JSONS = {
    "pretty list": (json.dumps(ROWS, indent=2, ensure_ascii=False), [2, 6]),
    "compact list": (json.dumps(ROWS), [1, 1]),
    "lines": ("\n".join(map(json.dumps, ROWS)), [1, 2]),
    "lines with empty lines and commas": (json.dumps(ROWS[0]) + ",\n\n" + json.dumps(ROWS[1]) + ",\n", [1, 3]),
    "objects without anything between": ("".join(map(json.dumps, ROWS)), [1, 1]),
    "pretty objects": ("\n".join(json.dumps(row, indent=1) for row in ROWS), [1, 5]),
    "two lists": (json.dumps(ROWS[:1]) + "\n" + json.dumps(ROWS[1:]), [1, 2]),
    "list in an object": (json.dumps({"version": {"a": [1]}, "data": ROWS}, indent=1), [8, 12]),
    "byte order mark": ("\ufeff" + json.dumps(ROWS), [1, 1]),
}


@pytest.mark.parametrize("kind", JSONS)
@pytest.mark.parametrize("packed", [False, True])
def test_json_is_read_in_every_way_it_is_written(tmp_path: Path, kind: str, packed: bool) -> None:
    text, lines = JSONS[kind]
    data = gzip.compress(text.encode()) if packed else text.encode()
    raws = read("json", write(tmp_path / "rows.json", data))
    assert [raw.row for raw in raws] == ROWS
    assert [raw.line for raw in raws] == lines


def test_json_goes_on_after_a_broken_row(tmp_path: Path) -> None:
    rows = [{"instruction": f"say {i}", "output": [{"instruction": "inner"}, {"x": 1}]} for i in range(5)]
    text = json.dumps(rows, indent=2).replace('"say 2"', '"say 2" oops')
    raws = read("json", write(tmp_path / "rows.json", text))
    good = [raw.row for raw in raws if raw.row and raw.row in rows]
    assert good == rows[:2] + rows[3:]
    broken = next(raw for raw in raws if raw.problem)
    assert broken.line == text[: text.index('"say 2"')].count("\n")
    assert "no JSON" in broken.problem


def test_a_json_file_cut_off_says_so(tmp_path: Path) -> None:
    text = json.dumps(ROWS, indent=2)[:-12]
    raws = read("json", write(tmp_path / "rows.json", text))
    assert raws[0].row == ROWS[0]
    assert raws[1].problem == "the text ends in the middle of this row"


def test_a_description_of_data_sets_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "info.json", json.dumps({"a": {"file_name": "a.json"}, "b": {"hf_hub_url": "x/y"}}))
    with pytest.raises(DataError, match="describes 2 data sets"):
        read("json", path)


def test_pandas_column_json_is_refused_with_the_way_out(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.json", json.dumps({"text": {"0": "a"}, "label": {"0": 1}}))
    with pytest.raises(DataError) as caught:
        read("json", path)
    assert "orient='records'" in caught.value.problems[0].fix


def test_rows_larger_than_the_scanners_step_are_read(tmp_path: Path) -> None:
    rows = [{"text": "x" * 300_000}, {"text": "y" * 10}, {"text": "z" * 200_000, "list": list(range(50_000))}]
    raws = read("json", write(tmp_path / "rows.json", json.dumps(rows, indent=1)))
    assert [raw.row for raw in raws] == rows


@pytest.mark.parametrize("encoding", ["utf-8", "gbk"])
def test_a_json_list_on_one_long_line_is_read_in_pieces(tmp_path: Path, encoding: str) -> None:
    rows = [{"text": "深度学习，机器：学习" * 500, "i": i} for i in range(400)]
    data = json.dumps(rows, ensure_ascii=False).encode(encoding)
    assert len(data) > 3 << 20
    raws = read("json", write(tmp_path / "rows.json", data))
    assert [raw.row for raw in raws] == rows
    assert {raw.line for raw in raws} == {1}
    assert [bool(raw.repair) for raw in raws] == [encoding == "gbk"] * 400


def test_odd_bytes_in_a_json_list_cost_only_their_row(tmp_path: Path) -> None:
    data = json.dumps([{"text": "今天"}, {"text": "X"}, {"text": "天气"}], ensure_ascii=False).encode()
    raws = read("json", write(tmp_path / "rows.json", data.replace(b"X", b"\xff\x81\x9d")))
    assert [bool(raw.row) for raw in raws] == [True, False, True]
    assert "no UTF-8" in raws[1].problem


JSONL_PROBLEMS = {
    '{"a": 1': "no JSON",
    '{"a": 1} {"b": 2}': "no JSON",
    "[1, 2]": "must be a JSON object, this is a list",
    "17": "this is a int",
    "not json": "no JSON",
    '{"a": ' + "[" * 100_000: "nested too deeply",
    '{"a": ' + "9" * 5000 + "}": "no JSON",
}


@pytest.mark.parametrize("line", JSONL_PROBLEMS, ids=lambda line: line[:20])
def test_a_broken_line_is_given_with_its_problem(tmp_path: Path, line: str) -> None:
    raws = read("jsonl", write(tmp_path / "rows.jsonl", f'{{"a": 0}}\n\n{line}\n{{"a": 2}}'))
    assert [raw.line for raw in raws] == [1, 3, 4]
    assert raws[1].row is None
    assert JSONL_PROBLEMS[line] in raws[1].problem


@pytest.mark.parametrize("ending", ["jsonl", "json"])
def test_rows_broken_in_several_ways_have_one_reason_and_their_own_details(tmp_path: Path, ending: str) -> None:
    broken = ['{"a": nan1}', '{"a": 1,, "b": 2}', '{"a": "x" "b": 2}', '{"a": ' + "9" * 5000 + "}"]
    lines = [line for each in broken for line in ('{"a": 0}', each)]
    raws = read(ending, write(tmp_path / f"rows.{ending}", "\n".join([*lines, '{"a": 0}'])))
    found = [raw for raw in raws if raw.row is None]
    assert {raw.problem for raw in found} == {"no JSON"}
    assert len({raw.detail for raw in found}) == len(broken)
    assert "column" in found[0].detail


def test_a_raw_tab_in_a_string_is_repaired_and_said(tmp_path: Path) -> None:
    (raw,) = read("jsonl", write(tmp_path / "rows.jsonl", '{"a": "x\ty"}'))
    assert raw.row == {"a": "x\ty"}
    assert raw.repair


def test_csv_cells_hold_commas_quotes_and_line_ends(tmp_path: Path) -> None:
    text = 'text, label\r\n"one, ""two""\nthree",a\r\n\r\nfour,b\r\n'
    raws = read("csv", write(tmp_path / "rows.csv", text))
    assert [(raw.line, raw.row) for raw in raws] == [
        (2, {"text": 'one, "two"\nthree', "label": "a"}),
        (5, {"text": "four", "label": "b"}),
    ]


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_the_delimiter_of_csv_is_found(tmp_path: Path, delimiter: str) -> None:
    text = f"text{delimiter}label\na,b{delimiter}c\n"
    (raw,) = read("csv", write(tmp_path / "rows.csv", text))
    assert raw.row == {"text": "a,b", "label": "c"}


def test_an_open_quotation_mark_takes_no_other_row_with_it(tmp_path: Path) -> None:
    text = 'text,label\na,1\n"b,2\nc,3\nd"d,4\ne,5\n,\nf,6,7\n'
    raws = read("csv", write(tmp_path / "rows.csv", text))
    assert [raw.row["text"] for raw in raws if raw.row] == ["a", "c", 'd"d', "e"]
    problems = [(raw.line, raw.problem) for raw in raws if raw.problem]
    assert [line for line, _ in problems] == [3, 7, 8]
    assert "quotation mark" in problems[0][1]
    assert problems[1][1] == "all cells are empty"
    assert problems[2][1] == "the row has more or fewer cells than the header"
    assert [raw.detail for raw in raws][-1] == "3 cells, the header 2"


def test_tsv_takes_quotation_marks_as_they_are_and_names_for_a_missing_header(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.tsv", 'ham\t"open\nspam\tcall, now"\n')
    raws = read("tsv", path, names=("label", "text"))
    assert [raw.row for raw in raws] == [{"label": "ham", "text": '"open'}, {"label": "spam", "text": 'call, now"'}]


@pytest.mark.parametrize("packed", [False, True])
def test_parquet_gives_rows_without_the_nulls_that_tables_fill_in(tmp_path: Path, packed: bool) -> None:
    table = pa.table({"messages": [[{"role": "user", "content": "hi", "name": None}]], "note": [None]})
    pq.write_table(table, tmp_path / "rows.parquet")
    if packed:
        write(tmp_path / "rows.parquet.gz", gzip.compress((tmp_path / "rows.parquet").read_bytes()))
    (raw,) = read("parquet", tmp_path / ("rows.parquet.gz" if packed else "rows.parquet"))
    assert raw == Raw(1, {"messages": [{"role": "user", "content": "hi"}]})


def test_arrow_streams_and_files_are_read(tmp_path: Path) -> None:
    table = pa.table({"text": ["a", "b"]})
    for kind in (pa.ipc.new_stream, pa.ipc.new_file):
        with pa.OSFile(str(tmp_path / "rows.arrow"), "wb") as sink, kind(sink, table.schema) as writer:
            writer.write_table(table)
        assert [raw.row for raw in read("arrow", tmp_path / "rows.arrow")] == [{"text": "a"}, {"text": "b"}]


def test_text_is_read_by_paragraph_line_or_file(tmp_path: Path) -> None:
    path = write(tmp_path / "book.txt", "\none\ntwo\n \t\n\nthree\n")
    assert [(raw.line, raw.row["text"]) for raw in read("text", path) if raw.row] == [(2, "one\ntwo"), (6, "three")]
    assert [raw.line for raw in read("text", path, by="line")] == [2, 3, 6]
    assert [raw.row for raw in read("text", path, by="file")] == [{"text": "one\ntwo\n \t\n\nthree"}]


def test_a_paragraph_without_end_is_closed_at_a_line_end(tmp_path: Path) -> None:
    path = write(tmp_path / "book.txt", "0123456789\n" * 5000)
    raws = read("text", path)
    assert len(raws) == 5
    assert sum(len(raw.row["text"].split()) for raw in raws if raw.row) == 5000


# --- encodings -----------------------------------------------------------------------------------


def jsonl(texts: list[str], encoding: str) -> bytes:
    return b"".join(json.dumps({"text": text}, ensure_ascii=False).encode(encoding) + b"\n" for text in texts)


@pytest.mark.parametrize(
    ("encoding", "texts"),
    [
        ("cp1252", ["café crème", "it’s “quoted”", "plain", "naïve Zoë – 5 €"]),
        ("gbk", ["今天天气很好", "plain", "深度学习是机器学习的一种", "朱镕基"]),
        ("utf-16", ["café", "今天", "plain"]),
        ("utf-8-sig", ["café", "今天", "plain"]),
    ],
)
def test_old_encodings_are_read_where_they_are_certain(tmp_path: Path, encoding: str, texts: list[str]) -> None:
    data = "".join(json.dumps({"text": text}, ensure_ascii=False) + "\n" for text in texts).encode(encoding)
    raws = read("jsonl", write(tmp_path / "rows.jsonl", data))
    assert [raw.row for raw in raws] == [{"text": text} for text in texts]
    odd = [raw.repair for raw in raws if raw.repair]
    assert bool(odd) == (encoding != "utf-8-sig")


def test_a_broken_byte_among_utf8_rows_sets_only_its_row_aside(tmp_path: Path) -> None:
    data = jsonl(["今天", "天气"], "utf-8") + b'{"text": "a\xff\x81\xfe b\x9d"}\n' + jsonl(["很好"], "utf-8")
    raws = read("jsonl", write(tmp_path / "rows.jsonl", data))
    assert [bool(raw.row) for raw in raws] == [True, True, False, True]
    assert "no UTF-8" in raws[2].problem


def test_a_character_cut_in_half_is_not_taken_for_an_old_encoding(tmp_path: Path) -> None:
    half = '{"text": "今天天气很好，深度学习是机器学习的一种"}'.encode().replace("学".encode(), "学".encode()[:2], 1)
    raws = read("jsonl", write(tmp_path / "rows.jsonl", half + b"\n" + jsonl(["很好"], "utf-8")))
    assert [bool(raw.row) for raw in raws] == [False, True]


CUT = gzip.compress(b'{"a": 1}\n' * 999)[:-20]


@pytest.mark.parametrize("data", [CUT, b"\x1f\x8b\x08rubbish"], ids=["cut", "rubbish"])
def test_a_damaged_gzip_file_is_refused(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(DataError, match="damaged or cut off"):
        read("jsonl", write(tmp_path / "rows.jsonl.gz", data))


@pytest.mark.parametrize("name", ["parquet", "arrow"])
def test_a_damaged_table_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match="no sound"):
        read(name, write(tmp_path / "rows", b"PAR1 nothing of this is a table"))


# --- anything at all -----------------------------------------------------------------------------

PIECES = st.sampled_from(
    [b"{", b"}", b"[", b"]", b",", b'"', b"\n", b"\\", b'{"a": 1}', b"\xff", b"\xe4\xbb\x8a", b"\t", b"\x00"]
)
ANYTHING = st.one_of(st.binary(max_size=200), st.lists(PIECES, max_size=60).map(b"".join))


@pytest.mark.parametrize("name", [name for name in names(Reader) if find(Reader, name).endings])
@given(data=ANYTHING)
@small
def test_no_bytes_make_a_reader_crash(tmp_path: Path, name: str, data: bytes) -> None:
    path = write(tmp_path / f"any.{name}", data)
    try:
        raws = read(name, path)
    except DataError as error:
        assert error.problems[0].fix
    else:
        assert all((raw.row is None) == bool(raw.problem) for raw in raws)
        assert [raw.line for raw in raws] == sorted(raw.line for raw in raws)


@given(
    st.lists(st.dictionaries(st.text(max_size=5), st.one_of(st.text(), st.integers(), st.none()), min_size=1)),
    st.data(),
)
@small
def test_json_written_in_any_form_gives_the_same_rows(
    tmp_path: Path, rows: list[dict[str, object]], data: st.DataObject
) -> None:
    indent = data.draw(st.sampled_from([None, 0, 2]))
    text = json.dumps(rows, indent=indent, ensure_ascii=data.draw(st.booleans()))
    raws = read("json", write(tmp_path / "any.json", text.encode("utf-8")))
    assert [raw.row for raw in raws] == rows
