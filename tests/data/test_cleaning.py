"""Normalize, language, noise and boilerplate: what is mended, what is set aside, and what must stay as it is."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuneloop.data.languages import language, weigh
from tuneloop.data.mojibake import mend
from tuneloop.data.passages import is_code, pieces
from tuneloop.data.script import letters, units
from tuneloop.data.transforms import Transform
from tuneloop.data.transforms.boilerplate import Boilerplate
from tuneloop.data.transforms.language import Language
from tuneloop.data.transforms.noise import Noise
from tuneloop.data.transforms.normalize import Normalize
from tuneloop.data.transforms.repeated_lines import RepeatedLines
from tuneloop.rows import Chat, Drop, Labeled, Message, Record, Text
from tuneloop.rows.record import Content
from tuneloop.store import Dataset


def chat(question: str, answer: str) -> Chat:
    return Chat((Message("user", question), Message("assistant", answer)))


def run(transform: Transform, *contents: Content) -> list[Record | Drop]:
    return list(transform.run([Record.of(content, origin=f"rows.jsonl:{i}") for i, content in enumerate(contents, 1)]))


def reasons(results: list[Record | Drop]) -> list[str]:
    return [result.reason if isinstance(result, Drop) else "" for result in results]


def rows(path: Path) -> list[Any]:
    data = path.read_bytes()
    text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode("utf-8")
    return [json.loads(line) for line in text.splitlines()] if ".jsonl" in path.name else json.loads(text)


def western(data: bytes) -> str:
    return "".join(bytes([byte]).decode("cp1252", "ignore") or chr(byte) for byte in data)


@pytest.mark.parametrize("meant", ["it’s “so” – yes…", "café Noël", "今天天气很好。", "Здравствуйте, мир", "😀 ok"])
def test_utf8_read_as_western_is_mended_also_twice_over(meant: str) -> None:
    once = western(meant.encode())
    assert mend(once) == mend(western(once.encode())) == mend(meant.encode().decode("latin-1")) == meant


@pytest.mark.parametrize(
    ("misread", "meant"),
    [
        ("ÄãºÃ", "你好"),
        ("浣犲ソ", "你好"),
        ("Reply: ÄãºÃ, Àû°¡", "Reply: ÄãºÃ, Àû°¡".replace("ÄãºÃ", "你好").replace("Àû°¡", "利啊")),
        ("它说：浣犲ソ", "它说：浣犲ソ"),
    ],
)
def test_chinese_read_in_the_wrong_encoding_is_mended_where_that_is_certain(misread: str, meant: str) -> None:
    assert mend(misread) == meant


@pytest.mark.parametrize(
    "text",
    ["ÀÁÂÃÄÅÆÇ àáâãäåæç", "ÄÖÜ äöüß", "«Ça va ?» ÉTÉ À LA", "50 °C ± 2 µm", "£5 · €3 ½", "联通", "РУССКИЙ", "†x ‡y"],
)
def test_what_somebody_may_have_meant_is_not_mended(text: str) -> None:
    assert mend(text) == text


def test_real_rows_are_mended_only_where_they_hold_control_characters(real: Path) -> None:
    with (real / "classify/waimai_10k/waimai_10k.csv").open(encoding="utf-8-sig") as file:
        reviews = [row["review"] for row in csv.DictReader(file)][::5]
    assert [review for review in reviews if mend(review) != review] == []
    misread = [mend(review.encode().decode("latin-1")) == review for review in reviews]
    assert all(misread)
    as_western = [(r, r.encode("gbk").decode("latin-1")) for r in reviews if len(r) > 3 and _fits_gb2312(r)]
    assert sum(mend(wrong) == right for right, wrong in as_western) / len(as_western) > 0.97


def _fits_gb2312(text: str) -> bool:
    return text.encode("gb2312", "ignore").decode("gb2312") == text


def test_code_stays_as_it_is_to_the_last_blank(real: Path) -> None:
    for task in rows(real / "eval/humaneval/HumanEval.jsonl.gz"):
        for part in ("prompt", "canonical_solution", "test"):
            assert Normalize(form="NFKC", width="half").text(task[part]) == task[part], task["task_id"]


def test_fences_tables_and_columns_keep_their_blanks() -> None:
    code = "```python\nif x:  \n\n\n\n    y = '&amp;'  \n```"
    text = f"Do this:\n{code}\n| a    | b |\n|------|---|\n\n1    2    3\n4    5    6"
    assert Normalize().text(text) == text
    assert Normalize().text("so    it is \n\n\n\n\nthe end \t\nof it") == "so it is\n\nthe end\nof it"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("Tom &amp; Ann &lt;3 &#39;x&#39;", "Tom & Ann <3 'x'"),
        ("How is & written in HTML? &amp;amp;", "How is & written in HTML? &amp;amp;"),
        ("`&amp;` is a sign, &quot;so&quot;", '`&amp;` is a sign, "so"'),
        ("access\u202e level\u2066 x\u2069", "access level x"),
        ("שלום \u2067abc\u2069 \u202ex", "שלום \u2067abc\u2069 x"),
        ("pass\u200cword zero\u200dwidth so\u00adft", "password zerowidth soft"),
        ("hi\U000e0069\U000e0067 there", "hi there"),
        (
            "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
            "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
        ),
    ],
)
def test_normalize_takes_out_entities_and_what_cannot_be_seen(before: str, after: str) -> None:
    assert Normalize().text(before) == after


def test_half_width_makes_letters_and_digits_plain_and_keeps_chinese_punctuation() -> None:
    assert Normalize(width="half").text("共３．５元，ＡＢＣ！（是）") == "共3.5元，ABC！（是）"
    assert Normalize().text("共３．５元，ＡＢＣ！") == "共３．５元，ＡＢＣ！"


def test_text_that_is_lost_is_set_aside_and_little_loss_counted() -> None:
    normalize = Normalize()
    results = run(normalize, Text("锟斤拷锟斤拷 is gone"), Text("one \ufffd in a longer text stays"), Text("fine"))
    assert reasons(results) == ["too many characters are lost for good", "", ""]
    assert normalize.tally["characters lost"] == 2


def test_private_characters_are_counted_and_stay_since_old_telephones_sent_emoji_so() -> None:
    normalize = Normalize()
    (result,) = run(normalize, Text("快\ue420"))
    assert isinstance(result, Record) and result.content == Text("快\ue420")
    assert dict(normalize.tally) == {"private characters": 1}


NASTY = st.text(alphabet="aé你好ÄãºÃ浣犲ソ\u200b\u202e\u00ad\ufffd &amp;lt#39;\r\n\t `|$\x85\x92Ａ１．   ", max_size=40)


@settings(deadline=None)
@given(NASTY, st.sampled_from(["NFC", "NFKC"]), st.sampled_from(["keep", "half"]))
def test_normalizing_twice_is_normalizing_once_for_nasty_texts_too(text: str, form: Any, width: Any) -> None:
    normalize = Normalize(form=form, width=width)
    assert normalize.text(once := normalize.text(text)) == once


@given(st.text(max_size=60))
def test_pieces_together_are_the_text(text: str) -> None:
    assert "".join(piece for _, piece in pieces(text)) == text


def test_prose_is_no_code(real: Path) -> None:
    with (real / "classify/banking77/train.csv").open(encoding="utf-8") as file:
        assert not any(is_code(row["text"]) for row in csv.DictReader(file))


def test_scripts_and_units_know_words_and_characters() -> None:
    assert letters("日本のテキスト, Ελλάδα") == {"han": 2, "kana": 5, "greek": 6}
    assert units("I don't know 北京2008, naïve") == ["I", "don't", "know", "北", "京", "2008", "naïve"]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("还行", "zh"),
        ("送餐快,态度也特别好", "zh"),
        ("用 pip install 安装 Python 包", "zh"),
        ("Where is my card?", "en"),
        ("Wo ist meine Karte und wann kommt sie an?", "de"),
        ("¿Dónde está mi tarjeta de crédito nueva?", "es"),
        ("これは日本語の文章です", "ja"),
        ("안녕하세요", "ko"),
        ("Где моя карта?", "ru"),
        ("91-33=", ""),
        ("https://example.com/über-uns", ""),
        ("x = 1\ny = x + 2", ""),
        ("", ""),
    ],
)
def test_short_texts_have_their_language_or_none(text: str, code: str) -> None:
    assert language(text) == code


def test_shares_add_up_to_one() -> None:
    assert sum(weigh("Der Hund und la casa").values()) == pytest.approx(1)


def test_short_real_rows_in_english_and_chinese_stay(real: Path) -> None:
    keep = Language()
    with (real / "classify/waimai_10k/waimai_10k.csv").open(encoding="utf-8-sig") as file:
        reviews = [row["review"] for row in csv.DictReader(file)]
    with (real / "classify/banking77/test.csv").open(encoding="utf-8") as file:
        questions = [row["text"] for row in csv.DictReader(file)]
    sums = [row["instruction"] for row in rows(real / "sft_zh/整数加减法.json")]
    assert not any(map(keep.reason, [*reviews[::3], *sums]))
    assert sum(map(bool, map(keep.reason, questions))) <= len(questions) // 1000
    assert keep.tally["undecided"] >= len(sums)


def test_rows_in_french_go(real: Path) -> None:
    asked = [row["prompt"] for row in rows(real / "eval/ifeval_fr/fr_input_data.jsonl")]
    assert sum(map(bool, map(Language().reason, asked))) / len(asked) > 0.98
    assert not any(map(Language(keep=["fr"]).reason, asked[:20]))


def test_language_looks_at_both_sides_but_not_at_the_system() -> None:
    french = "Vous êtes un assistant utile qui répond toujours avec soin et politesse."
    row = Chat((Message("system", french), *chat("Where is my card?", "It is on its way.").messages))
    assert reasons(run(Language(), row, Text(french))) == ["", "in another language: fr"]


def test_undecided_rows_go_when_asked() -> None:
    language = Language(undecided="drop")
    assert reasons(run(language, chat("91-33=", "58"))) == ["in no language that is certain"]
    assert dict(language.tally) == {"undecided": 1}


def test_chinese_is_counted_by_how_it_is_written() -> None:
    language = Language()
    run(language, Text("这个很好"), Text("這個很好"))
    assert dict(language.tally) == {"zh simplified": 1, "zh traditional": 1}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("qwjkxz vbnmzx qhgfjk", "gibberish"),
        ("龘靐齉爩麤", "gibberish"),
        ("☠☣★✪❀⚘ ok", "symbols"),
        ("好吃" * 20, "the same piece over and over"),
        ("I will. " * 12, "the same piece over and over"),
        ("哈哈哈哈，太好吃了！", ""),
        ("Sooo good!!! 😀", ""),
        ("3.14159265 + 2.71828", ""),
        ("def f(x):\n    return x", ""),
        ("| a | b |\n|---|---|\n| 1 | 1 |", ""),
        ("他說這個很好吃，價錢也便宜。", ""),
    ],
)
def test_noise_is_known_and_nothing_else(text: str, reason: str) -> None:
    assert reasons(run(Noise(), chat("q", text))) == [reason]


def test_digits_go_only_when_asked() -> None:
    assert reasons(run(Noise(), Text("12345678 90"))) == [""]
    assert reasons(run(Noise(max_digits=0.5), Text("12345678 90"))) == ["digits"]


def test_running_text_is_held_to_the_rules_for_repetition_and_answers_are_not() -> None:
    text = "\n".join(
        f"Buy now and save a lot.\nWhale {name} lives in the sea." for name in ("Ann", "Ben", "Cleo", "Dan")
    )
    assert reasons(run(Noise(), Text(text), chat("Write a chorus.", text))) == ["lines are repeated", ""]


def test_boilerplate_is_cut_out_of_answers_and_never_out_of_questions_or_labelled_texts() -> None:
    said = "As an AI language model, I cannot eat. But cake is sweet. Let me know if you have any other questions!"
    boilerplate = Boilerplate()
    results = run(boilerplate, chat(said, said), Labeled(said, "spam"), chat("q", "Let me know if it rains."))
    kept = [result.content for result in results if isinstance(result, Record)]
    assert kept == [
        chat(said, "I cannot eat. But cake is sweet."),
        Labeled(said, "spam"),
        chat("q", "Let me know if it rains."),
    ]
    assert dict(boilerplate.tally) == {"assistant": 1, "closing": 1}
    assert reasons(run(Boilerplate(how="drop", kinds=["closing"]), chat("q", said))) == ["boilerplate: closing"]


def test_boilerplate_knows_chinese_letters_pages_and_tags() -> None:
    results = run(
        Boilerplate(),
        chat("q", "作为一个AI语言模型，我没有味觉。希望以上信息对您有帮助！"),
        chat("q", "Dear Ann,\nthe parcel is here. Let me know if you have any questions."),
        Text("首页 | 关于我们 | 联系我们\n鲸是哺乳动物。\n版权所有"),
        chat("q", "<p>A <b>whale</b></p>\n```html\n<p>x</p>\n```"),
        chat("How do I write HTML?", "Use the HTML tag <b>."),
    )
    assert [result.content for result in results if isinstance(result, Record)] == [
        chat("q", "我没有味觉。"),
        chat("q", "Dear Ann,\nthe parcel is here. Let me know if you have any questions."),
        Text("鲸是哺乳动物。"),
        chat("q", "A whale\n\n```html\n<p>x</p>\n```"),
        chat("How do I write HTML?", "Use the HTML tag <b>."),
    ]


def test_markdown_and_formulas_come_through_every_cleaning_step(real: Path) -> None:
    text = "# Title\n\n* one *two* `x < y`\n\n$$\\frac{a}{b} < c$$\n\n| a | b |\n|---|---|\n\n> quote\n\n1. [x](https://example.com/?a=1)"
    for transform in (Normalize(), Boilerplate(), Noise(), Language()):
        (result,) = run(transform, chat("q", text))
        assert isinstance(result, Record) and result.content == chat("q", text), transform.name


def test_lines_that_many_rows_share_are_cut_and_named() -> None:
    told = [chat(f"q{i}", f"Whale number {i} is blue.\nAll rights are ours, see terms.") for i in range(40)]
    single = [chat(f"s{i}", "The answer is forty-two.") for i in range(40)]
    transform = RepeatedLines(above=0.25)
    results = run(
        transform, *told, *single, chat("q", "All rights are ours, see terms.\nAll rights are ours, see terms.")
    )
    assert [r.content for r in results if isinstance(r, Record)] == [
        *(chat(f"q{i}", f"Whale number {i} is blue.") for i in range(40)),
        *single,
    ]
    assert reasons(results)[-1] == "nothing but repeated lines"
    assert transform.found() == {"lines": [{"line": "All rights are ours, see terms.", "rows": 41}]}


def test_frequent_lines_are_found_with_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    import tuneloop.data.transforms.repeated_lines as module

    monkeypatch.setattr(module, "CANDIDATES", 50)
    told = [Text(f"a line of its own number {i}\nthe line that is everywhere") for i in range(500)]
    results = run(RepeatedLines(), *told)
    assert all(
        isinstance(r, Record) and r.content == Text(f"a line of its own number {i}") for i, r in enumerate(results)
    )


def test_all_cleaning_steps_go_through_prepare_together(make: Callable[..., Dataset]) -> None:
    told = [
        {"instruction": "Where is my card?", "output": "As an AI language model, I cannot know. It is on its way."},
        {"instruction": "我的卡在哪里？", "output": "它在路上。"},
        {"instruction": "Où est ma carte, s'il vous plaît ?", "output": "Elle est en route, elle arrive demain matin."},
        {"instruction": "What is a whale?", "output": "<nooutput>"},
        {"instruction": "Say it", "output": "qwjkxz vbnmzx qhgfjk"},
    ]
    steps = ["normalize", "language", "boilerplate", "repeated_lines", "noise", "quality", "length", "duplicates"]
    report = make(told, transforms=steps).report
    accounts = {step["step"]: step for step in report["steps"]}
    assert report["rows"] == {"read": 5, "kept": 2, "dropped": 3}
    assert accounts["language"]["dropped"] == {"in another language: fr": 1}
    assert accounts["quality"]["dropped"] == {"the answer is a placeholder": 1}
    assert accounts["noise"]["dropped"] == {"gibberish": 1}
    assert accounts["boilerplate"]["changed"] == 1
    assert accounts["language"]["tally"] == {"en": 3, "fr": 1, "zh either": 1}
