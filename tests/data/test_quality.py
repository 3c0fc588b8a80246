"""Quality, banned words, toxicity, label conflicts, and length in tokens."""

from __future__ import annotations

import csv
import gzip
import json
import random
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from tuneloop.data.sides import Pair
from tuneloop.data.signals import SIGNALS, Signal, truncated
from tuneloop.data.transforms import Place, Transform
from tuneloop.data.transforms.banned import Banned
from tuneloop.data.transforms.label_conflicts import LabelConflicts
from tuneloop.data.transforms.length import Length
from tuneloop.data.transforms.quality import Quality
from tuneloop.data.transforms.toxicity import Toxicity
from tuneloop.errors import DataError
from tuneloop.rows import Chat, Drop, Labeled, Message, Preference, Record, Text
from tuneloop.rows.record import Content


def chat(question: str, answer: str) -> Chat:
    return Chat((Message("user", question), Message("assistant", answer)))


def run(transform: Transform, *contents: Content) -> list[Record | Drop]:
    return list(transform.run([Record.of(content, origin=f"rows.jsonl:{i}") for i, content in enumerate(contents, 1)]))


def reasons(results: list[Record | Drop]) -> list[str]:
    return [result.reason if isinstance(result, Drop) else "" for result in results]


@pytest.mark.parametrize(
    ("signal", "question", "answer"),
    [
        ("empty", "q", " …"),
        ("placeholder", "q", "<nooutput>"),
        ("placeholder", "q", "暂无内容"),
        ("echo", "介绍一下鲸。", "介绍一下鲸"),
        ("loop", "q", "It is. It is. It is. It is. It is. It is."),
        ("refusal", "q", "I cannot provide that information."),
        ("refusal", "q", "作为一个AI助手，我无法提供医疗建议。"),
        ("truncated", "q", "```python\nx = 1"),
        ("truncated", "q", "鲸是哺乳动物。它们用肺呼吸，"),
        ("truncated", "q", "Whales are mammals. They live in the sea and they"),
        ("other_language", "今天天气怎么样？", "It is sunny today and there is no rain at all."),
        (
            "other_language",
            "How is the weather today in the north?",
            "今天北方天气晴朗，气温适宜，适合外出游玩和散步。",
        ),
    ],
)
def test_each_signal_sees_its_fault_alone(signal: Signal, question: str, answer: str) -> None:
    assert Quality().seen([Pair(question, answer)]) == [signal]


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Are there any left?", "None."),
        ("Translate to Chinese: hello there", "你好，很高兴见到你，祝你一切顺利，天天开心快乐每一天。"),
        ("SOS in Morse code", "... --- ..."),
        ("List fruits", "- apples\n- pears"),
        ("写一首诗", "春眠不觉晓\n处处闻啼鸟"),
        ("Code", "```python\nprint('(')\n```"),
        ("2+2", "4"),
        ("Mood?", "😀"),
        ("Apologise to a customer", "I'm sorry for the delay of your parcel."),
        ("Write about cars", "Cars are fast. #cars #fast"),
    ],
)
def test_good_answers_have_no_signal(question: str, answer: str) -> None:
    assert Quality().seen([Pair(question, answer)]) == []


def test_the_certain_faults_are_dropped_and_the_others_counted() -> None:
    quality = Quality()
    results = run(quality, chat("q", "N/A"), chat("q", "抱歉，我无法回答。"), chat("q", "Fine."), Text("..."))
    assert reasons(results) == ["the answer is a placeholder", "", "", ""]
    assert dict(quality.tally) == {"placeholder": 1, "refusal": 1}
    assert reasons(run(Quality(drop=["refusal"]), chat("q", "抱歉，我无法回答。"))) == ["the answer refuses"]


def test_a_worse_answer_may_be_a_bad_one() -> None:
    prompt, good, bad = (Message("user", "q"),), (Message("assistant", "Fine."),), (Message("assistant", "N/A"),)
    assert reasons(run(Quality(), Preference(prompt, good, bad), Preference(prompt, bad, good))) == [
        "",
        "the answer is a placeholder",
    ]


def alpaca(path: Path) -> list[Pair]:
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return [Pair(f"{row['instruction']}\n\n{row['input']}".strip(), row["output"]) for row in json.loads(data)]


def test_the_bad_answers_of_real_rows_are_found_and_few_good_ones(real: Path) -> None:
    pairs = alpaca(real / "sft_en/alpaca_data-6382-9407-英文.json.gz")
    seen = {name: [pair for pair in pairs if sees(pair)] for name, sees in SIGNALS.items() if name != "other_language"}
    assert len([pair for pair in pairs if not pair.answer.strip()]) == len([p for p in seen["empty"] if not p.answer])
    told = {pair.answer.casefold() for pair in pairs if "nooutput" in pair.answer.casefold().replace(" ", "")[:12]}
    assert told <= {pair.answer.casefold() for pair in seen["placeholder"]}
    assert len(seen["truncated"]) < 0.01 * len(pairs)
    assert not seen["loop"] and not seen["echo"]


def test_cut_answers_are_found_about_half_of_the_time(real: Path) -> None:
    draw = random.Random(7)
    pairs = [
        pair for pair in alpaca(real / "sft_en/alpaca_data-6382-9407-英文.json.gz")[:600] if len(pair.answer) > 120
    ]
    cut = [Pair(pair.question, pair.answer[: draw.randint(60, len(pair.answer) - 10)]) for pair in pairs]
    assert sum(map(truncated, cut)) / len(cut) > 0.45


@pytest.fixture
def place(tmp_path: Path) -> Place:
    (tmp_path / "banned.txt").write_text("# mine\n\nass\nbad word\n坏蛋\nＱＱ群\n", encoding="utf-8")
    return Place(folder=tmp_path)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("An ASS and a class, assess", "An *** and a class, assess"),
        ("a Bad Word.", "a *** ****."),
        ("他是坏蛋吗", "他是**吗"),
        ("加qq群，QQ群", "加***，***"),
        ("ass坏蛋ass", "********"),
        ("fine 好", "fine 好"),
    ],
)
def test_banned_terms_are_whole_words_in_english_and_found_anywhere_in_chinese(
    place: Place, text: str, masked: str
) -> None:
    banned = Banned(lists=["banned.txt"], how="mask").at(place)
    (result,) = run(banned, chat(text, text))
    assert isinstance(result, Record)
    assert result.content == chat(masked, masked)
    assert banned.hide(text) == masked


def test_rows_with_banned_terms_go_and_nothing_shown_names_the_term(place: Place) -> None:
    banned = Banned(lists=["banned.txt"]).at(place)
    results = run(banned, chat("q", "坏蛋"), chat("q", "class"))
    assert reasons(results) == ["a banned term", ""]
    assert banned.reads() == ("banned.txt",)
    assert "坏蛋" not in repr(results[0]) and dict(banned.tally) == {"terms": 1}


def test_thousands_of_terms_are_found_in_one_pass(tmp_path: Path) -> None:
    (tmp_path / "many.txt").write_text("\n".join(f"term{i}x" for i in range(20_000)), encoding="utf-8")
    banned = Banned(lists=["many.txt"]).at(Place(folder=tmp_path))
    assert banned.hide("a term19999x b term20000x") == "a ********** b term20000x"


def test_the_list_of_a_package_is_taken_when_asked() -> None:
    assert run(Banned(lists=[], profanity=True), Text("what a load of bullshit"), Text("a class"))[0].__class__ is Drop


@pytest.mark.parametrize("content", [b"", b"# only\n", b"\xff\xfe\x00bad"])
def test_a_list_without_terms_or_in_another_encoding_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "list.txt").write_bytes(content)
    with pytest.raises(DataError, match="banned terms"):
        run(Banned(lists=["list.txt"]).at(Place(folder=tmp_path)), Text("x"))
    with pytest.raises(ValidationError, match="needs a list"):
        Banned(lists=[])


@pytest.fixture(scope="module")
def judge(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny classifier that has learned on the spot that ``bad``, ``awful`` and ``poor`` are toxic."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    folder = tmp_path_factory.mktemp("judge")
    torch.manual_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(tiny_encoder)
    labels: dict[str, Any] = {"id2label": {0: "fine", 1: "toxic"}, "label2id": {"fine": 0, "toxic": 1}}
    model = AutoModelForSequenceClassification.from_pretrained(tiny_encoder, **labels)
    words = [("bad", 1), ("awful", 1), ("poor", 1), ("good", 0), ("nice", 0), ("great", 0)]
    given = tokenizer([f"the food is {word}" for word, _ in words], return_tensors="pt", padding=True)
    wanted = torch.tensor([label for _, label in words])
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(60):
        optimizer.zero_grad()
        model(**given, labels=wanted).loss.backward()
        optimizer.step()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def test_toxic_rows_go_by_the_score_of_a_local_classifier(judge: Path) -> None:
    toxicity = Toxicity(model=judge.name).at(Place(folder=judge.parent))
    told = [chat("the food is good", f"the food is {word}") for word in ["awful", "nice"] * 20]
    results = run(toxicity, *told, Text(""))
    assert reasons(results) == [*(["toxic", ""] * 20), ""]
    assert toxicity.tally["toxic"] == 20 and toxicity.reads() == (judge.name,)


def test_a_classifier_that_is_not_there_or_has_other_labels_is_refused(judge: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no classifier in nowhere"):
        run(Toxicity(model="nowhere").at(Place(folder=tmp_path)), Text("x"))
    with pytest.raises(DataError, match="no label 'hate'"):
        run(Toxicity(model=str(judge), labels=["hate"]), Text("x"))


def test_the_seven_conflicting_reviews_of_waimai_are_found(real: Path) -> None:
    with (real / "classify/waimai_10k/waimai_10k.csv").open(encoding="utf-8-sig") as file:
        told = [Labeled(row["review"], row["label"]) for row in csv.DictReader(file)]
    exact: dict[str, set[Any]] = {}
    for content in told:
        exact.setdefault(content.text, set()).add(content.label)
    known = {text for text, labels in exact.items() if len(labels) > 1}
    conflicts = LabelConflicts()
    results = run(conflicts, *told)
    found = conflicts.found()
    assert len(known) == 7 == found["conflicts"]
    assert {group["text"] for group in found["groups"]} == known
    assert len(results) == len(told)
    assert {told[i].text for i, result in enumerate(results) if isinstance(result, Drop)} == known


@pytest.mark.parametrize(
    ("keep", "stays"),
    [("none", []), ("majority", ["rows.jsonl:2", "rows.jsonl:3"]), ("first", ["rows.jsonl:1"])],
)
def test_a_conflict_is_settled_as_asked(keep: Any, stays: list[str]) -> None:
    conflicts = LabelConflicts(keep=keep)
    rows = [Labeled("Good  food", "x"), Labeled("good food", "y"), Labeled("GOOD FOOD", "y"), Labeled("other", "x")]
    results = run(conflicts, *rows, Text("good food"))
    assert [r.origin for r in results if isinstance(r, Record)] == [*stays, "rows.jsonl:4", "rows.jsonl:5"]
    ((group,)) = conflicts.found()["groups"]
    assert [row["label"] for row in group["rows"]] == ["x", "y", "y"]


def test_a_tie_has_no_majority() -> None:
    assert all(reasons(run(LabelConflicts(keep="majority"), Labeled("a", 0), Labeled("a", 1))))


def test_length_counts_the_tokens_of_a_tokenizer(tiny_tokenizer: Path) -> None:
    length = Length(max_tokens=3, tokenizer=tiny_tokenizer.name).at(Place(folder=tiny_tokenizer.parent))
    assert reasons(run(length, chat("q", "the"), chat("q", "zebra crossing"))) == ["", "longer than 3 tokens"]
    assert length.reads() == (f"{tiny_tokenizer.name}/tokenizer.json",)
    assert reasons(run(Length(min_tokens=3, tokenizer="embedded"), chat("q", "a"))) == ["shorter than 3 tokens"]


def test_length_of_tokens_needs_a_tokenizer_that_can_be_read(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="need a tokenizer"):
        Length(max_tokens=3)
    with pytest.raises(DataError, match="no tokenizer can be read"):
        run(Length(max_tokens=3, tokenizer="nowhere").at(Place(folder=tmp_path)), Text("x"))


def test_length_measures_questions_when_asked() -> None:
    assert reasons(run(Length(of="questions", min_chars=3), chat("q", "answer"), chat("question", ""))) == [
        "shorter than 3 characters",
        "",
    ]
