"""Rows of an API: every page once and in order, whatever the server does; resumed, kept, and without its secrets."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.data.conftest import Notes
from tests.data.fetching.server import Said, serving

from tuneloop.data.fetching import client
from tuneloop.data.prepare import prepare
from tuneloop.data.section import DataSection
from tuneloop.errors import DataError
from tuneloop.store import Dataset, Store

ROWS = [{"question": f"what is {i} plus {i}?", "answer": f"it is {2 * i}"} for i in range(25)]
TOKEN = "tok/en+0123456789"
Get = Callable[..., Dataset]


@pytest.fixture(autouse=True)
def direct(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy between the test and its server, and no long waits."""
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(client, "FIRST_WAIT", 0.01)


@pytest.fixture
def get(tmp_path: Path, store: Store, notes: Notes) -> Get:
    """Prepare the rows of an address."""

    def run(url: str, *, refresh: bool = False, limit: int | None = None, **http: Any) -> Dataset:
        reader = {"http": {"per_second": 1000, "timeout": 5, **http}}
        source = {"path": url, "reader": reader, "limit": limit}
        section = DataSection.model_validate({"sources": [source], "split": {"validation": 0, "test": 0}})
        return prepare(section, store, seed=1, folder=tmp_path, progress=notes, refresh=refresh)

    return run


def asked(dataset: Dataset) -> list[str]:
    return [record.content.messages[0].content for record in dataset.records("train")]  # type: ignore[union-attr]


EXPECTED = [row["question"] for row in ROWS]


def by_offset(path: str, query: dict[str, str], before: int) -> Said:
    start = int(query.get("offset", 0))
    return Said({"data": {"items": ROWS[start : start + 10]}})


def by_page(path: str, query: dict[str, str], before: int) -> Said:
    number = int(query["page"])
    return Said({"items": ROWS[10 * number - 10 : 10 * number]}) if number < 4 else Said({"detail": "none"}, 404)


def by_cursor(path: str, query: dict[str, str], before: int) -> Said:
    start = int(query.get("after", 0))
    rows = ROWS[start : start + 10]
    return Said({"data": [{**row, "id": start + i + 1} for i, row in enumerate(rows)], "has_more": start + 10 < 25})


def by_link(path: str, query: dict[str, str], before: int) -> Said:
    start = int(query.get("start", 0))
    following = f"/v1/items?start={start + 10}" if start + 10 < 25 else None
    return Said({"results": ROWS[start : start + 10], "links": {"next": following}})


def by_header(path: str, query: dict[str, str], before: int) -> Said:
    start = int(query.get("start", 0))
    link = f'<items?start=0>; rel="first", <items?start={start + 10}>; rel="next"' if start + 10 < 25 else ""
    return Said(ROWS[start : start + 10], headers={"Link": link} if link else {}, packed=True)


@pytest.mark.parametrize(
    ("answer", "options"),
    [
        (by_offset, {"items": "data.items", "offset": "offset"}),
        (by_page, {"page": "page"}),
        (by_cursor, {"next": "data.-1.id", "cursor": "after", "more": "has_more"}),
        (by_link, {"next": "links.next"}),
        (by_header, {}),
    ],
)
def test_every_style_of_pages_gives_every_row_once_in_order(
    get: Get, answer: Callable[..., Said], options: dict[str, Any]
) -> None:
    with serving(answer) as server:
        dataset = get(f"{server.url}/v1/items", **options)
    assert asked(dataset) == EXPECTED
    origins = [record.origin for record in dataset.records("train")]
    assert origins[0] == f"{server.url}/v1/items#1:1" and origins[12] == f"{server.url}/v1/items#2:3"


@pytest.mark.parametrize(
    "fault",
    [
        Said("slow down", 429, {"Retry-After": "0"}),
        Said("oh", 500),
        Said("busy", 503, {"Retry-After": "Fri, 01 Jan 2021 00:00:00 GMT"}),
        Said(ROWS, cut=20),
        Said(ROWS, cut=20, packed=True),
        Said(raw=b'{"data": {"items": [{"quest'),
        Said(raw=b"not gzip", headers={"Content-Encoding": "gzip"}),
        Said(None, 0),
        Said(ROWS, slow=0.6),
    ],
    ids=["429", "500", "503", "cut", "cut-gzip", "half-json", "no-gzip", "no-answer", "slow"],
)
def test_a_fault_that_passes_costs_a_second_request_and_no_row(get: Get, fault: Said, notes: Notes) -> None:
    def answer(path: str, query: dict[str, str], before: int) -> Said:
        return fault if before == 1 else by_offset(path, query, before)

    with serving(answer) as server:
        dataset = get(f"{server.url}/v1/items", items="data.items", offset="offset", timeout=0.3)
    assert asked(dataset) == EXPECTED
    assert len(server.asked) >= 5  # on a busy machine another one may take too long
    assert any("again in" in note for note in notes.notes)


def test_what_a_server_asks_to_wait_is_waited(get: Get) -> None:
    def answer(path: str, query: dict[str, str], before: int) -> Said:
        return Said("wait", 429, {"Retry-After": "1"}) if before == 0 else Said(ROWS)

    with serving(answer) as server:
        get(server.url + "/items")
    assert server.times[1] - server.times[0] > 0.9


def test_requests_keep_to_their_rate(get: Get) -> None:
    start = time.monotonic()
    with serving(by_offset) as server:
        get(f"{server.url}/v1/items", items="data.items", offset="offset", per_second=20)
    assert len(server.asked) == 4 and time.monotonic() - start > 3 / 20


@pytest.mark.parametrize(
    ("said", "fix"),
    [
        (Said("who are you?", 401), "check the token"),
        (Said("nothing here", 404), "check the address"),
        (Said({"rows": 3}), "say where they stand"),
        (Said(raw=b"<html>"), "run it again"),
        (Said("wait long", 429, {"Retry-After": "86400"}), "run it again then"),
        (Said("moved", 302, {"Location": "ftp://127.0.0.1/x"}), "give the address"),
    ],
)
def test_what_does_not_pass_is_told_with_its_fix(get: Get, said: Said, fix: str) -> None:
    with serving(lambda *_: said) as server, pytest.raises(DataError) as caught:
        get(f"{server.url}/items", retries=1)
    assert fix in caught.value.problems[0].fix


@pytest.mark.parametrize(
    ("answer", "options"),
    [
        (lambda p, q, n: Said(ROWS), {"page": "page"}),
        (lambda p, q, n: Said({"rows": [ROWS[n % 25]], "next": "x"}), {"next": "next", "cursor": "after"}),
        (lambda p, q, n: Said({"rows": [], "next": f"x{n}"}), {"next": "next", "cursor": "c", "max_pages": 5}),
    ],
    ids=["same page", "same cursor", "no end"],
)
def test_pages_without_end_are_stopped(get: Get, answer: Callable[..., Said], options: dict[str, Any]) -> None:
    with serving(answer) as server, pytest.raises(DataError, match=r"circle|more than 5 pages"):
        get(f"{server.url}/items", **options)
    assert len(server.asked) <= 6


def test_an_answer_that_is_too_large_is_refused_also_packed(get: Get) -> None:
    bomb = Said(raw=b" " * (3 << 20), packed=True)
    with serving(lambda *_: bomb) as server, pytest.raises(DataError, match="more than 1 MiB"):
        get(f"{server.url}/items", max_mb=1)


def test_a_stopped_fetch_goes_on_at_the_next_page(get: Get, store: Store) -> None:
    down = True

    def answer(path: str, query: dict[str, str], before: int) -> Said:
        return Said("down", 500) if down and query.get("offset") == "20" else by_offset(path, query, before)

    with serving(answer) as server:
        with pytest.raises(DataError, match="500"):
            get(f"{server.url}/v1/items", items="data.items", offset="offset", retries=1)
        down = False
        half = len(server.asked)
        dataset = get(f"{server.url}/v1/items", items="data.items", offset="offset", retries=1)
        again = server.asked[half:]
    assert asked(dataset) == EXPECTED
    assert again == ["/v1/items?offset=20", "/v1/items?offset=25"]
    assert not list((store.root / "cache").glob("fetched-*/pages"))


def test_a_damaged_page_is_fetched_again(get: Get, store: Store) -> None:
    def answer(path: str, query: dict[str, str], before: int) -> Said:
        return Said("down", 400) if before == 2 else by_offset(path, query, before)

    with serving(answer) as server:
        with pytest.raises(DataError, match="400"):
            get(f"{server.url}/v1/items", items="data.items", offset="offset")
        (page,) = (store.root / "cache").glob("fetched-*/pages/000002.jsonl")
        page.write_bytes(page.read_bytes().replace(b"10", b"99"))
        assert asked(get(f"{server.url}/v1/items", items="data.items", offset="offset")) == EXPECTED
        assert server.asked[3:] == [f"/v1/items?offset={at}" for at in (10, 20, 25)]


def test_a_snapshot_is_used_again_until_it_is_refreshed_and_the_content_decides_the_dataset(get: Get) -> None:
    rows = list(ROWS)
    with serving(lambda *_: Said(rows)) as server:
        url = f"{server.url}/items"
        first = get(url)
        rows[0] = {"question": "new?", "answer": "yes"}
        assert get(url).id == first.id and len(server.asked) == 1
        second = get(url, refresh=True)
        assert second.id != first.id and asked(second)[0] == "new?"
        rows[0] = ROWS[0]
        assert get(url, refresh=True).id == first.id
        rows.append(rows[0])
        pinned = first.report["sources"][0]["files"][0]["sha256"]
        with pytest.raises(DataError, match="another content"):
            get(url, refresh=True, sha256=pinned)
    assert get(url).id != ""  # without the server


def test_a_limit_asks_for_no_more_pages_than_it_needs(get: Get) -> None:
    with serving(by_offset) as server:
        dataset = get(f"{server.url}/v1/items", items="data.items", offset="offset", limit=12)
    assert asked(dataset) == EXPECTED[:12] and len(server.asked) == 2


def test_a_secret_is_sent_and_stands_nowhere(
    get: Get, store: Store, notes: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_TOKEN", TOKEN)

    def answer(path: str, query: dict[str, str], before: int) -> Said:
        if before == 0:
            return Said(f"busy, {TOKEN}", 503)
        start = int(query.get("start", 0))
        more = f"{path}?start={start + 10}&api_key=tok%2Fen%2B0123456789" if start < 20 else None
        rows = [{**row, "seen": TOKEN} for row in ROWS[start : start + 10]]
        return Said({"rows": rows, "next": more})

    with serving(answer) as server:
        options: dict[str, Any] = {"next": "next", "headers": {"Authorization": "Bearer env:SHOP_TOKEN"}}
        dataset = get(f"{server.url}/items", query={"api_key": "env:SHOP_TOKEN"}, **options)
    assert all(headers["Authorization"] == f"Bearer {TOKEN}" for headers in server.headers)
    assert all("api_key=tok%2Fen%2B0123456789" in path for path in server.asked)
    assert asked(dataset) == EXPECTED
    assert notes.notes and not any("0123456789" in note for note in notes.notes)
    for path in store.root.rglob("*"):
        assert not path.is_file() or b"0123456789" not in path.read_bytes(), path


def test_another_host_gets_no_header(get: Get, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_TOKEN", TOKEN)
    with serving(lambda *_: Said(ROWS)) as other:
        moved = Said("moved", 302, {"Location": f"{other.url}/there"})
        with serving(lambda *_: moved) as server:
            get(f"{server.url}/items", headers={"Authorization": "Bearer env:SHOP_TOKEN", "X-Shop": "7"})
    assert server.headers[0]["Authorization"] == f"Bearer {TOKEN}"
    assert not {"authorization", "x-shop"} & {name.lower() for name in other.headers[0]}


@pytest.mark.parametrize(
    ("url", "options"),
    [
        ("https://example.com/v1", {"headers": {"Authorization": "Bearer abcdefgh12"}}),
        ("https://example.com/v1", {"query": {"api_key": "abcdefgh12"}}),
        ("https://example.com/v1?access_token=abcdefgh12", {}),
        ("https://ann:abcdefgh12@example.com/v1", {}),
        ("https://example.com/v1", {"headers": {"Authorization": "env:SURELY_NOT_SET"}}),
    ],
)
def test_a_secret_in_plain_sight_or_missing_is_refused_before_anything_is_asked(
    get: Get, url: str, options: dict[str, Any]
) -> None:
    with pytest.raises((DataError, ValueError)) as caught:
        get(url, **options)
    if isinstance(caught.value, DataError):
        assert "abcdefgh12" not in str(caught.value)


def test_rows_that_are_no_objects_are_set_aside_with_their_place(get: Get) -> None:
    with serving(lambda *_: Said([*ROWS, "half a row", {"question": "x\ud83d?", "answer": "y"}])) as server:
        dataset = get(f"{server.url}/items")
    assert [drop.origin.rpartition("#")[2] for drop in dataset.dropped()] == ["1:26", "1:27"]


def test_two_fetches_of_one_source_do_not_mix(get: Get, store: Store) -> None:
    from tuneloop.data.fetching.shelf import Shelf
    from tuneloop.errors import StoreError

    with (
        Shelf(store, "k" * 40).held(),
        pytest.raises(StoreError, match="another process"),
        Shelf(store, "k" * 40).held(),
    ):
        pass


def test_a_file_at_an_address_is_read_by_its_ending(tmp_path: Path, store: Store) -> None:
    table = "question;answer\n" + "".join(f"{row['question']};{row['answer']}\n" for row in ROWS)
    with serving(lambda *_: Said(raw=table.encode())) as server:
        section = DataSection.model_validate(
            {"sources": [f"{server.url}/faq.csv"], "split": {"validation": 0, "test": 0}}
        )
        datasets = [prepare(section, store, seed=1, folder=tmp_path) for _ in range(2)]
    assert asked(datasets[0]) == EXPECTED and len(server.asked) == 1
    (fetched,) = datasets[0].facts["fetched"].values()
    assert abs(time.time() - time.mktime(time.strptime(fetched["fetched"][:19], "%Y-%m-%dT%H:%M:%S"))) < 90_000


def test_a_cursor_that_the_server_has_forgotten_meanwhile_makes_it_begin_anew(get: Get, notes: Notes) -> None:
    known = 1

    def answer(path: str, query: dict[str, str], before: int) -> Said:
        """Cursors are good for one session; the second page of the first session fails."""
        session, start = (int(part) for part in query.get("after", f"{known}-0").split("-"))
        if session != known:
            return Said("this cursor has expired", 410)
        if before == 1:
            return Said("down", 500)
        more = f"{session}-{start + 10}" if start < 20 else None
        return Said({"rows": ROWS[start : start + 10], "next": more})

    with serving(answer) as server:
        options: dict[str, Any] = {"next": "next", "cursor": "after", "retries": 0}
        with pytest.raises(DataError, match="500"):
            get(f"{server.url}/items", **options)
        known = 2
        assert asked(get(f"{server.url}/items", **options)) == EXPECTED
    assert any("begun anew" in note for note in notes.notes)


CHILD = """
import sys
from pathlib import Path
from tuneloop.data.prepare import prepare
from tuneloop.data.section import DataSection
from tuneloop.store import Store

url, folder = sys.argv[1], Path(sys.argv[2])
reader = {"http": {"per_second": 1000, "items": "data.items", "offset": "offset"}}
section = DataSection.model_validate({"sources": [{"path": url, "reader": reader}]})
prepare(section, Store(folder / "store"), seed=1, folder=folder)
"""


def test_a_killed_fetch_goes_on_at_the_next_page(get: Get, tmp_path: Path) -> None:
    child: list[subprocess.Popen[bytes]] = []

    def answer(path: str, query: dict[str, str], before: int) -> Said:
        if before == 2:
            child[0].kill()
        return by_offset(path, query, before)

    with serving(answer) as server:
        command = [sys.executable, "-c", CHILD, f"{server.url}/v1/items", str(tmp_path)]
        child.append(subprocess.Popen(command))
        assert child[0].wait(60) == -9
        dataset = get(f"{server.url}/v1/items", items="data.items", offset="offset")
    assert asked(dataset) == EXPECTED
    assert server.asked[3:] == ["/v1/items?offset=20", "/v1/items?offset=25"]
