"""The pages show what there is, to this machine alone, and nothing that stands in rows becomes a part of them."""

from __future__ import annotations

import re
import shutil
import string
from pathlib import Path

import msgspec
import pytest
from starlette.testclient import TestClient
from tests.looking.conftest import EVIL, begin, figures, runs, seal

from tuneloop.errors import MissingPackage, StoreError
from tuneloop.looking import app as application
from tuneloop.looking.look import Looking
from tuneloop.looking.texts import CHINESE, ENGLISH
from tuneloop.rows import jsonl
from tuneloop.store import Store
from tuneloop.store.kinds import Study


def test_the_list_shows_every_run_with_what_tells_it_from_others_of_its_name(client: TestClient, store: Store) -> None:
    page = client.get("/").text
    for id in runs(store):
        assert f'href="/run/{id}"' in page
    assert "adamw.learning_rate=0.02" in page
    assert '<span class="mark warning">warning</span>' in page
    assert "small" in page


def test_a_run_that_goes_on_comes_first_and_says_what_is_left(client: TestClient, store: Store) -> None:
    begin(store)
    page = client.get("/").text
    assert page.index("/run/wwww") < page.index("/run/run-")
    assert re.search(r"running</span><small>\d+ s left", page)


def test_nothing_that_stands_in_rows_becomes_markup(client: TestClient, store: Store) -> None:
    first, second = runs(store)
    shown = [client.get(path).text for path in (f"/run/{second}", f"/compare?run={first}&run={second}", "/")]
    told = client.get(f"/run/{second}/figures").json()
    for text in [*shown, *told["pieces"].values()]:
        assert EVIL not in text
        assert "<img" not in text
    assert "&lt;script&gt;alert" in told["pieces"]["samples"]
    assert "&lt;script&gt;alert" in told["pieces"]["findings"]


def test_findings_come_with_evidence_the_change_to_copy_and_rows(client: TestClient, store: Store) -> None:
    page = client.get(f"/run/{runs(store)[1]}").text
    assert 'data-text="--set train.num_train_epochs=2"' in page
    assert "end earlier" in page
    assert "and 10 more" in page
    assert "stopped early" in page


def test_charts_hold_the_over_fitting_zone_the_pins_and_the_layers(client: TestClient, store: Store) -> None:
    charts = {chart["id"]: chart for chart in client.get(f"/run/{runs(store)[1]}/figures").json()["charts"]}
    assert charts["loss"]["zone"]["from"] == 20
    assert charts["loss"]["zone"]["to"] == 60
    assert [pin["numbers"] for pin in charts["loss"]["pins"]] == [[1]]
    assert charts["loss"]["pins"][0]["step"] == 20
    assert [series["name"] for series in charts["heat"]["series"]] == ["embedding", "layers.00", "layers.01", "head"]
    assert charts["norm"]["limit"]["y"] == 1.0
    assert charts["sources"]["series"][0]["name"] == "<b>faq</b>"
    assert client.get(f"/run/{runs(store)[0]}/figures").json()["charts"][0].get("zone") is None


def test_a_long_run_is_thinned_and_keeps_its_peak(client: TestClient, store: Store, tmp_path: Path) -> None:
    folder = begin(store)
    rows = list(figures(20_000))
    peak = next(row for row in rows if row.step == 12_345 and row.name == "train/loss")
    rows[rows.index(peak)] = type(peak)(peak.step, peak.name, 99.0, peak.time)
    jsonl.write(folder / "signals.jsonl", rows)
    answer = client.get(f"/run/{folder.name}/figures")
    raw = answer.json()["charts"][0]["series"][0]
    assert len(raw["x"]) <= 600
    assert max(raw["y"]) == 99.0
    assert len(answer.content) < 300_000


def test_asking_again_costs_nothing_until_there_is_something_new(client: TestClient, store: Store) -> None:
    folder = begin(store)
    path = f"/run/{folder.name}/figures"
    tag = client.get(path).headers["etag"]
    assert client.get(path, headers={"If-None-Match": tag}).status_code == 304
    jsonl.append(folder / "signals.jsonl", list(figures(21))[-9:])
    answer = client.get(path, headers={"If-None-Match": tag})
    assert answer.status_code == 200
    assert answer.headers["etag"] != tag


def test_a_comparison_lays_curves_over_each_other_and_shows_what_differs(client: TestClient, store: Store) -> None:
    first, second = runs(store)
    page = client.get(f"/compare?run={first}&run={second}&run=nothing").text
    assert "train.<wbr>optimizer.<wbr>adamw.<wbr>learning_rate" in page
    assert "train.<wbr>num_train_epochs" not in page
    charts = client.get(f"/compare/figures?run={first}&run={second}").json()["charts"]
    assert [len(chart["series"]) for chart in charts] == [2] * len(charts)
    assert charts[0]["series"][0]["name"] != charts[0]["series"][1]["name"]
    assert "Choose two runs" in client.get("/compare").text


def test_a_run_is_held_against_the_one_before_it_of_the_same_recipe(client: TestClient, store: Store) -> None:
    folder = begin(store)
    page = client.get(f"/run/{folder.name}").text
    assert "What differs from faq" in page
    assert "<td><code>0.005</code></td>" in page


def test_the_card_of_a_dataset_is_shown_but_may_run_nothing(client: TestClient, store: Store) -> None:
    dataset = store.artifacts()[0]
    page = client.get(f"/artifact/{dataset.id}").text
    assert f'src="/artifact/{dataset.id}/page"' in page
    assert " sandbox" in page
    card = client.get(f"/artifact/{dataset.id}/page")
    assert "The card" in card.text
    assert "sandbox" in card.headers["content-security-policy"]
    assert "script-src" not in card.headers["content-security-policy"]
    assert client.get(f"/run/{runs(store)[1]}").text.count(dataset.id) == 0


def test_a_search_is_shown_with_its_trials_and_pictures(client: TestClient, store: Store) -> None:
    second = runs(store)[1]
    rate = "train.optimizer.adamw.learning_rate"
    trials = [
        {"number": 1, "values": {rate: 0.02}, "score": 1.5, "steps": 60, "seconds": 4.0, "run": second},
        {"number": 0, "values": {rate: 0.5}, "score": None, "failure": f"the loss is not finite {EVIL}"},
    ]
    summary = {"metric": "validation/loss", "best": {"changes": [f"{rate}=0.02"]}, "trials": trials}
    with store.draft() as folder:
        (folder / "study.json").write_bytes(msgspec.json.encode(summary))
        (folder / "history.png").write_bytes(b"\x89PNG")
        study = store.seal(Study, folder, parents={"trial-001": second}, key="s", facts={"metric": "validation/loss"})
    assert f"/artifact/{study.id}" in client.get("/").text
    page = client.get(f"/artifact/{study.id}").text
    assert f'data-text="--set {rate}=0.02"' in page
    assert page.index("<b>1.500</b>") < page.index("the loss is not finite &lt;script&gt;")
    assert f'href="/run/{second}"' in page
    assert client.get(f"/artifact/{study.id}/picture/history.png").content == b"\x89PNG"
    for name in ("study.json", "manifest.json", "..%2f..%2frefs.jsonl", "no.png"):
        assert client.get(f"/artifact/{study.id}/picture/{name}").status_code == 404
    (store.root / "artifacts" / study.id / "study.json").write_text("{}")
    assert client.get(f"/artifact/{study.id}").status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "192.168.0.7", "tuneloop.internal:7870"])
def test_only_this_machine_is_let_in(client: TestClient, host: str) -> None:
    assert client.get("/", headers={"Host": host}).status_code == 403
    assert client.get("/files/page.css", headers={"Host": host}).status_code == 403


@pytest.mark.parametrize("host", ["localhost:7870", "127.0.0.1", "[::1]:7870"])
def test_this_machine_has_several_names(client: TestClient, host: str) -> None:
    assert client.get("/", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_nothing_can_be_changed(client: TestClient, method: str) -> None:
    assert client.request(method, "/").status_code == 405


def test_every_answer_forbids_foreign_and_inline_scripts_and_sets_no_cookie(client: TestClient, store: Store) -> None:
    for path in ("/", f"/run/{runs(store)[0]}", "/files/look.js", "/nothing"):
        answer = client.get(path)
        policy = answer.headers["content-security-policy"]
        assert "script-src 'self';" in policy
        assert "default-src 'none'" in policy
        assert "set-cookie" not in answer.headers
    pages = [client.get(path).text for path in ("/", f"/run/{runs(store)[0]}", "/compare")]
    for page in pages:
        assert not re.search(r"<script(?![^>]*src=)|<style|<[^>]*\s(style|on\w+)=", page)
        assert not re.search(r"(src|href)=\"(https?:)?//", page)


@pytest.mark.parametrize(
    "path",
    [
        "/run/..%2F..%2Fetc",
        "/run/%2e%2e",
        "/artifact/..%2f..%2frefs.jsonl/page",
        "/artifact/run-x/page",
        "/files/..%2fapp.py",
        "/files/../pages.py",
        "/run/%00",
        "/run/store",
    ],
)
def test_ids_lead_nowhere_else(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 404


def test_looking_writes_nothing(client: TestClient, store: Store) -> None:
    begin(store)
    before = sorted((path, path.stat().st_mtime_ns) for path in store.root.rglob("*"))
    for path in ("/", f"/run/{runs(store)[0]}", "/run/" + "w" * 20, "/run/" + "w" * 20 + "/figures"):
        assert client.get(path).status_code == 200
    assert sorted((path, path.stat().st_mtime_ns) for path in store.root.rglob("*")) == before


def test_both_languages_have_the_same_texts_with_the_same_gaps() -> None:
    assert ENGLISH.keys() == CHINESE.keys()
    for key, text in ENGLISH.items():
        fields = [name for _, name, _, _ in string.Formatter().parse(text) if name is not None]
        other = [name for _, name, _, _ in string.Formatter().parse(CHINESE[key]) if name is not None]
        assert len(fields) == len(other), key
        assert text.strip() and CHINESE[key].strip()


def test_every_text_is_used_somewhere() -> None:
    folder = Path(application.__file__).parent
    files = [*folder.rglob("*.jinja"), folder / "pages.py", folder / "curves.py"]
    written = "".join(path.read_text(encoding="utf-8") for path in files).replace("'", '"')
    made = ("state.", "severity.", "chart.", "position.", "split.", "language")
    assert [key for key in ENGLISH if not key.startswith(made) and f'"{key}"' not in written] == []


def test_a_page_speaks_the_readers_language_and_keeps_it_in_its_links(client: TestClient, store: Store) -> None:
    assert 'lang="zh-CN"' in client.get("/", headers={"Accept-Language": "zh-CN,zh;q=0.9"}).text
    page = client.get("/?lang=zh", headers={"Accept-Language": "en"}).text
    assert "验证损失" in page
    assert f"/run/{runs(store)[0]}?lang=zh" in page
    figures = client.get(f"/run/{runs(store)[1]}/figures?lang=zh").json()
    assert figures["charts"][0]["zone"]["text"] == "过拟合"


def test_a_run_that_vanishes_is_said_and_the_rest_goes_on(client: TestClient, store: Store) -> None:
    folder = begin(store)
    path = f"/run/{folder.name}"
    assert client.get(path).status_code == 200
    shutil.rmtree(folder)
    assert "This run cannot be read at present" in client.get(path).text
    assert client.get("/").status_code == 200


def test_a_store_full_of_rubbish_is_shown_as_far_as_it_goes(client: TestClient, store: Store) -> None:
    folder = begin(store)
    (folder / "recipe.yaml").write_bytes(b"name: \xff\xfe")
    (folder / "findings.jsonl").write_text("{}\n[]\nnull\n")
    (folder / "samples.jsonl").write_text('{"step": 1}\n')
    (folder / "receipts.json").write_text("[1]")
    (store.root / "artifacts" / "run-zzz").mkdir()
    assert client.get("/").status_code == 200
    assert client.get(f"/run/{folder.name}").status_code == 200
    assert client.get(f"/run/{folder.name}/figures").status_code == 200


def test_several_stores_are_one_list(store: Store, tmp_path: Path) -> None:
    from tuneloop.looking.shelf import Shelf

    other = Store(tmp_path / "other")
    seal(other, "poems", 0.1)
    shelf = Shelf([store.root, other.root])
    assert {brief.name for brief in shelf.briefs()} == {"faq", "poems"}


def test_a_missing_chart_library_is_told_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(application.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingPackage) as error:
        application.chart_library()
    assert "tuneloop[ui]" in error.value.problems[0].fix


def test_a_taken_port_and_a_missing_folder_are_told(store: Store, tmp_path: Path) -> None:
    looking = Looking([store.root], port=0)
    with pytest.raises(StoreError, match="cannot listen"):
        Looking([store.root], port=int(looking.address.rpartition(":")[2]))
    with pytest.raises(StoreError, match="no such folder"):
        Looking([tmp_path / "nothing"])
    looking.close()
