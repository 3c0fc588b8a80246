"""``POST /feedback``: what is taken, in both forms, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from tuneloop.store.exchanges import Exchanges


@pytest.fixture(scope="module")
def answer(place: Any) -> str:
    made = place.client.chat.completions.create(
        model="champion", messages=[{"role": "user", "content": "hello"}], max_tokens=2
    )
    return str(made.id)


@pytest.mark.parametrize(
    ("body", "kind", "value"),
    [
        ({"kind": "rating", "value": 1}, "rating", 1),
        ({"kind": "rating", "value": False}, "rating", -1),
        ({"kind": "correction", "value": "今天"}, "correction", "今天"),
        ({"kind": "comment", "value": "too long", "who": "ann"}, "comment", "too long"),
        ({"metric_name": "demonstration", "value": "so"}, "correction", "so"),
        ({"metric_name": "comment", "value": "so"}, "comment", "so"),
        ({"metric_name": "thumbs", "value": True}, "rating", 1),
    ],
)
def test_a_judgement_is_kept(place: Any, answer: str, body: dict[str, Any], kind: str, value: Any) -> None:
    said = place.post("/feedback", {("inference_id" if "metric_name" in body else "exchange"): answer, **body})
    assert said.status_code == 200
    with Exchanges(place.store.root / "exchanges.db") as exchanges:
        kept = exchanges.feedback(answer)[-1]
    assert (kept.id, kept.exchange, kept.kind, kept.value) == (said.json()["feedback_id"], answer, kind, value)
    assert kept.who == body.get("who", "")


@pytest.mark.parametrize(
    ("change", "status", "param"),
    [
        ({"exchange": "chatcmpl-nobody"}, 404, "exchange"),
        ({"value": 0.5}, 400, "value"),
        ({"value": "up"}, 400, "value"),
        ({"kind": "correction", "value": "  "}, 400, "value"),
        ({"kind": "correction", "value": 1}, 400, "value"),
        ({"kind": "praise"}, 400, "kind"),
        ({"more": 1}, 400, "more"),
        ({"exchange": 5}, 400, "exchange"),
    ],
)
def test_what_says_nothing_is_refused(place: Any, answer: str, change: dict[str, Any], status: int, param: str) -> None:
    said = place.post("/feedback", {"exchange": answer, "kind": "rating", "value": 1, **change})
    assert said.status_code == status
    assert said.json()["error"]["param"] == param
