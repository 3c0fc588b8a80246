"""The pages in a real browser: they draw, follow a run that is training, and can be used without a mouse."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.looking.conftest import begin, figures, runs

from tuneloop.looking.look import Looking
from tuneloop.rows import jsonl
from tuneloop.store import Store

WAIT = 180_000
OURS = ("http://127.0.0.1:", "data:", "blob:")
NAMELESS = """() => [...document.querySelectorAll("a, button, input:not([type=hidden]), select, summary, iframe")]
    .filter(e => !(e.textContent.trim() || e.ariaLabel || e.title || e.labels?.length)).map(e => e.outerHTML)"""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("no chromium was found")
    with api.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@contextmanager
def shown(store: Store) -> Iterator[str]:
    """The address of the pages of a store, while they are served."""
    pytest.importorskip("plotly", reason="plotly is not installed")
    looking = Looking([store.root], port=0)
    thread = threading.Thread(target=looking.run, daemon=True)
    thread.start()
    yield looking.address
    looking.stop()
    thread.join(10)


@contextmanager
def opened(chromium: Any, **settings: Any) -> Iterator[Any]:
    """A page that may log no error and ask for nothing of elsewhere."""
    context = chromium.new_context(**settings)
    page = context.new_page()
    page.set_default_timeout(WAIT)
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
    page.on("request", lambda asked: None if asked.url.startswith(OURS) else wrong.append(asked.url))
    yield page
    context.close()
    # the chart library brings a style sheet for maps, which no page needs and the policy refuses
    # and the script in the card of a dataset is meant to be blocked
    blocked = ("Applying inline style violates", "Blocked script execution")
    assert [text for text in wrong if not text.startswith(blocked)] == []


def points(page: Any) -> int:
    return int(page.get_attribute("#chart-loss", "data-points"))


def grows(page: Any, before: int) -> None:
    """Wait until there are more points than before; the browser's own waiting would need eval, which is forbidden."""
    end = time.monotonic() + WAIT / 1000
    while points(page) <= before:
        assert time.monotonic() < end, "the curve does not grow"
        page.wait_for_timeout(200)


def test_a_finished_run_is_drawn_with_its_zone_pins_and_a_table(chromium: Any, store: Store) -> None:
    with shown(store) as address, opened(chromium, viewport={"width": 1280, "height": 800}) as page:
        page.goto(f"{address}/run/{runs(store)[1]}")
        page.wait_for_selector("#chart-heat .plot .heatmaplayer image")
        assert page.locator("#chart-loss .plot").get_attribute("role") == "img"
        assert "over-fitting" in page.locator("#chart-loss .plot").inner_text()
        assert page.locator("#chart-loss .shapelayer path").count() == 1
        assert page.title() == "faq · tuneloop"  # nothing in the rows was run
        page.keyboard.press("t")
        first = page.locator("#chart-loss table tbody tr").first
        assert first.locator("th").inner_text() == "60"
        page.locator("#chart-loss .trace .points path").last.dispatch_event("click")


def test_the_pages_are_usable_by_keyboard_alone(chromium: Any, store: Store) -> None:
    with shown(store) as address, opened(chromium) as page:
        page.goto(address)
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        page.keyboard.press("?")
        assert page.locator("#help").is_visible()
        page.keyboard.press("Escape")
        page.keyboard.press("/")
        page.keyboard.type("0.02")
        assert page.locator("#rows tr:visible").count() == 1
        page.keyboard.press("Control+a")
        page.keyboard.press("Delete")
        page.keyboard.press("Escape")
        for key in "jxjx":
            page.keyboard.press(key)
        assert page.locator("#chosen").inner_text() == "(2)"
        page.keyboard.press("c")
        page.wait_for_selector("#chart-held .plot .scatterlayer")
        assert page.locator(".legend li").count() == 2
        page.keyboard.press("l")
        page.wait_for_selector("html[lang=zh-CN]")
        assert page.locator(".legend li").count() == 2
        page.keyboard.press("r")
        page.wait_for_selector("#rows")
        assert page.locator("h1").inner_text() == "训练"


def test_shortcuts_can_be_turned_off(chromium: Any, store: Store) -> None:
    with shown(store) as address, opened(chromium) as page:
        page.goto(address)
        page.keyboard.press("?")
        page.locator("#keys-on").uncheck()
        page.locator("#help button").click()
        page.reload()
        page.keyboard.press("?")
        assert not page.locator("#help").is_visible()


def test_everything_that_can_be_used_has_a_name(chromium: Any, store: Store) -> None:
    with shown(store) as address, opened(chromium) as page:
        for path in ("", f"/run/{runs(store)[1]}", f"/artifact/{store.artifacts()[0].id}"):
            page.goto(address + path)
            assert page.evaluate(NAMELESS) == []
            assert page.locator("h1").count() == 1


def test_on_a_phone_nothing_is_wider_than_the_screen(chromium: Any, store: Store) -> None:
    first, second = runs(store)
    with shown(store) as address, opened(chromium, viewport={"width": 390, "height": 844}) as page:
        for path in ("", f"/run/{second}?lang=zh", f"/compare?run={first}&run={second}"):
            page.goto(address + path)
            if path:
                page.wait_for_selector(".plot .main-svg")
            assert page.evaluate("document.documentElement.scrollWidth") <= 390, path


def test_the_list_sorts_and_takes_in_runs_that_begin(chromium: Any, store: Store) -> None:
    with shown(store) as address, opened(chromium) as page:
        page.goto(address)
        page.locator("[data-sort=train]").click()
        page.locator("[data-sort=held]").click()
        held = [float(text) for text in page.locator("#rows tr td:nth-child(5)").all_inner_texts()]
        assert held == sorted(held, reverse=True)
        page.locator("#rows input").first.check()
        begin(store)
        page.wait_for_selector("#rows tr[data-state=running]")
        assert page.locator("#rows input:checked").count() == 1


def test_a_page_that_lost_its_server_says_so_and_reads_on_when_it_is_back(chromium: Any, store: Store) -> None:
    folder = begin(store)
    looking = Looking([store.root], port=0)
    port = int(looking.address.rpartition(":")[2])
    thread = threading.Thread(target=looking.run, daemon=True)
    thread.start()
    context = chromium.new_context()
    page = context.new_page()
    page.goto(f"{looking.address}/run/{folder.name}")
    page.wait_for_selector("#chart-loss[data-points]")
    before = points(page)
    looking.stop()
    thread.join(10)
    page.wait_for_selector("#offline:not([hidden])", timeout=WAIT)
    jsonl.append(folder / "signals.jsonl", list(figures(25))[-45:])
    again = Looking([store.root], port=port)
    thread = threading.Thread(target=again.run, daemon=True)
    thread.start()
    page.wait_for_selector("#offline", state="hidden", timeout=WAIT)
    grows(page, before)
    context.close()
    again.stop()
    thread.join(10)


@pytest.mark.slow
def test_a_real_training_is_followed_and_its_stop_is_seen(
    chromium: Any, tmp_path: Path, tiny_model: Path, chats: Path
) -> None:
    settings = {
        "name": "live",
        "data": {"sources": [str(chats)], "split": {"validation": 0.2, "test": 0.1}},
        "model": {"base": str(tiny_model)},
        "train": {
            "adapter": "full",
            "optimizer": {"adamw": {"learning_rate": 0.3}},
            "batch": {"size": 8},
            "num_train_epochs": 2000,
            "eval_steps": 20,
            "stop": None,
        },
        "monitor": {"sample_prompts": ["what is <b>1</b> plus 2"]},
    }
    recipe = tmp_path / "live.yaml"
    recipe.write_text(json.dumps(settings))
    store = Store(tmp_path / "store")
    words = [sys.executable, "-m", "tuneloop", "train", str(recipe), "--store", str(store.root)]
    with shown(store) as address, opened(chromium) as page:
        page.goto(address)
        training = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            page.locator("#rows th a").first.click()
            page.wait_for_selector(".state.running")
            page.wait_for_selector("#chart-loss[data-points]")
            before = points(page)
            grows(page, before)
            page.wait_for_selector("#piece-findings li:not(.good)")
            assert page.locator(".state.running").count() == 1
            assert "<b>1</b>" in page.locator("#piece-samples h3").inner_text()
            training.terminate()
            page.wait_for_selector(".state.stopped")
        finally:
            training.terminate()
            training.wait(30)
