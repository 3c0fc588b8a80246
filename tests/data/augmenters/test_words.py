"""Augmenters that change words: what is protected survives byte for byte, and chance follows from seed and row."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuneloop.data.augmenters import Augmenter
from tuneloop.data.transforms import Place
from tuneloop.data.varying.protected import NEGATION, lost, spans
from tuneloop.data.varying.thesaurus import open_lexicon
from tuneloop.data.varying.wordnet import open_wordnet
from tuneloop.data.varying.words import cut, join, segment
from tuneloop.errors import DataError
from tuneloop.parts import find
from tuneloop.rows import Chat, Labeled, Message, Record, ToolCall

SYNSETS = [
    {"pos": "n", "members": ["refund", "repayment"]},
    {"pos": "v", "members": ["assist", "aid"]},
    {"pos": "r", "members": ["quickly", "speedily"]},
    {"pos": "n", "members": ["employer", "boss"]},
]
USUAL = [
    {"pos": "n", "members": [f"{word} {end}"]}
    for word in ["repayment", "refund", "aid", "assist", "speedily", "quickly", "boss", "employer"]
    for end in "abc"
]
PROTECTED = [
    "5 kg", "$30.50", "2024-03-04", "12:30", "30%", "ann@example.com", "https://example.com/a?b=1", "[EMAIL]", "{name}",
    "{{ user }}", "<b>", "`x = y`", '"to be"', "“你好”", "get_weather", "New York", "John Smith", "not", "never",
    "don't", "R2D2", "iPhone", "3个", "5公里", "三百块", "不", "没有", "《红楼梦》", "张伟明", "tomorrow", "twelve",
    "NASA",
]  # fmt: skip
FREE = [
    "please",
    "order",
    "arrived",
    "very",
    "quickly",
    "refund",
    "food",
    "味道",
    "送餐",
    "今天",
    "配送",
    "cards",
    "my",
    "喜欢",
]
TEXTS = st.lists(
    st.tuples(st.sampled_from(PROTECTED + 2 * FREE), st.sampled_from([" ", ", ", ". ", "，", "\n"])), max_size=14
).map(lambda pairs: "".join(word + gap for word, gap in pairs))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("words")
    with gzip.open(place / "synsets.jsonl.gz", "wt") as file:
        file.writelines(json.dumps(synset) + "\n" for synset in SYNSETS + USUAL)
    (place / "zh.txt").write_text("Aa01A01= 味道 口味 滋味\nBb01A01= 送餐 配送\nCc01A01# 米饭 面条\n", encoding="utf-8")
    return place


def made(name: str, folder: Path, **options: Any) -> Augmenter:
    words = {"wordnet": "synsets.jsonl.gz", "lexicon": "zh.txt"} if name in ("synonyms", "insert") else {}
    return find(Augmenter, name)(**words, **options).at(Place(folder))  # type: ignore[type-abstract]


def varied(augmenter: Augmenter, text: str, seed: int = 0) -> str:
    content = augmenter.vary(Record.of(Labeled(text, "x"), origin="a:1"), Random(seed)).content
    assert isinstance(content, Labeled) and content.label == "x"
    return content.text


@settings(max_examples=60, deadline=None)
@given(TEXTS)
def test_pieces_joined_are_the_text_and_protected_spans_are_never_free(text: str) -> None:
    pieces = cut(text)
    assert join(pieces) == text
    at = 0
    taken = spans(text)
    for piece in pieces:
        if piece.free:
            assert not any(start < at + len(piece.text) and at < end for start, end in taken)
        at += len(piece.text)


@pytest.mark.parametrize("name", ["synonyms", "swap", "delete", "insert"])
@settings(max_examples=40, deadline=None)
@given(text=TEXTS, share=st.sampled_from([0.1, 0.5, 1.0]), seed=st.integers(0, 99))
def test_protected_spans_survive_byte_for_byte_and_in_order(
    name: str, folder: Path, text: str, share: float, seed: int
) -> None:
    after = varied(made(name, folder, share=share), text, seed)
    at = 0
    for start, end in spans(text):
        found = after.find(text[start:end], at)
        assert found >= 0, (text, after, text[start:end])
        at = found + end - start
    assert len(NEGATION.findall(text)) == len(NEGATION.findall(after))
    assert sorted(re.findall(r"[0-9]+", text)) == sorted(re.findall(r"[0-9]+", after))


@pytest.mark.parametrize("text", PROTECTED)
def test_what_must_stay_is_known_in_a_sentence(text: str) -> None:
    for sentence in (f"we say {text} here", f"我们说 {text} 吧"):
        at, free = 0, []
        for piece in cut(sentence):
            free += [at + offset for offset in range(len(piece.text)) if piece.free]
            at += len(piece.text)
        start = sentence.index(text)
        assert not set(free) & set(range(start, start + len(text))), sentence


def test_names_of_tools_stay(folder: Path) -> None:
    call = Message("assistant", tool_calls=(ToolCall("weather"),))
    row = Record.of(Chat((Message("user", "weather please my friend"), call)), origin="a:1")
    for seed in range(20):
        content = made("delete", folder, share=1).vary(row, Random(seed)).content
        assert isinstance(content, Chat)
        assert "weather" in content.messages[0].content and content.messages[1] == call


def test_synonyms_keep_form_and_case_and_leave_words_of_grammar(folder: Path) -> None:
    synonyms = made("synonyms", folder, share=1)
    assert varied(synonyms, "Refunds assisted my employers quickly.") == "Repayments aided my bosses speedily."
    assert varied(synonyms, "the and of with") == "the and of with"
    assert varied(synonyms, "an employer asked") == "an employer asked"  # "an boss" would be wrong
    assert varied(synonyms, "送餐很快，味道好吃") in ("配送很快，口味好吃", "配送很快，滋味好吃")


def test_insert_adds_only_synonyms_and_delete_empties_no_sentence(folder: Path) -> None:
    insert = made("insert", folder, share=0.3)
    text = "where is my refund for the late order"
    after = varied(insert, text, 3)
    assert sorted(set(after.split()) - set(text.split())) == ["repayment"]
    assert len(after.split()) == len(text.split()) + 1
    delete = made("delete", folder, share=1)
    assert all(re.search(r"\w", varied(delete, text, seed)) for seed in range(20))
    assert varied(delete, "Yes. No. Maybe!") == "Yes. No. Maybe!"


def test_swap_moves_words_within_a_sentence_and_capitals_stay_at_their_place(folder: Path) -> None:
    swap = made("swap", folder, share=0.2)
    text = "Where is the parcel? It came with the wrong card."
    for seed in range(10):
        first, second = re.split(r"(?<=\?) ", varied(swap, text, seed))
        assert sorted(first.lower()) == sorted("where is the parcel?")
        assert first[0].isupper() and second[0].isupper()
        assert sorted(second.lower()) == sorted("it came with the wrong card.")


def test_chinese_is_cut_into_words_of_the_table_and_the_lexicon() -> None:
    assert segment("我们明天去北京") == ["我们", "明天", "去", "北京"]
    assert segment("口水鸡套餐", frozenset(["口水鸡"])) == ["口水鸡", "套餐"]


def test_a_changed_number_or_negation_is_found() -> None:
    assert lost("pay 30 to [NAME]", "give [NAME] 30") == ""
    assert "number" in lost("pay 30", "pay 31")
    assert "negation" in lost("it did not come", "it came")
    assert "negation" in lost("还没有到", "已经到了")


def test_a_part_without_words_says_where_they_come_from() -> None:
    with pytest.raises(DataError, match="no words to look up") as caught:
        find(Augmenter, "synonyms")().reads()  # type: ignore[type-abstract]
    assert "apt install wordnet-base" in caught.value.problems[0].fix


@pytest.mark.parametrize("text", ["", "not json\n", '{"members": []}\n', '{"pos": "n"}\n'])
def test_a_file_that_is_no_wordnet_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "w.jsonl").write_text(text)
    with pytest.raises(DataError) as caught:
        open_wordnet(tmp_path / "w.jsonl")
    assert "wordnet-base" in caught.value.problems[0].fix


def test_a_lexicon_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "z.txt").write_text("one two\n")
    for path in (tmp_path / "z.txt", tmp_path / "none.txt"):
        with pytest.raises(DataError):
            open_lexicon(path)


def test_the_three_forms_of_wordnet_say_the_same(tmp_path: Path) -> None:
    """Small copies of one lexicon: refund has a second sense that is not its chief one; boss is first another sense."""
    senses = {"refund": ["s1", "s3"], "repayment": ["s1", "s9"], "sale": ["s3", "s4"], "discount": ["s3", "s4", "s1"]}
    more = {f"{word} {end}": ["s8"] for word in senses for end in "abc"}
    members: dict[str, list[str]] = {}
    for word, ids in {**senses, **more}.items():
        for id in ids:
            members.setdefault(id, []).append(word)
    expected = {"refund": ("repayment",), "repayment": ("refund",), "sale": ("discount",), "discount": ("sale",)}

    folder = tmp_path / "json"
    folder.mkdir()
    (folder / "entries-a.json").write_text(
        json.dumps({w: {"n": {"sense": [{"synset": id} for id in ids]}} for w, ids in {**senses, **more}.items()})
    )
    (folder / "noun.act.json").write_text(json.dumps({id: {"members": words} for id, words in members.items()}))
    yaml = tmp_path / "yaml"
    yaml.mkdir()
    for file in folder.iterdir():
        (yaml / file.with_suffix(".yaml").name).write_text(file.read_text())
    entries = "".join(
        f'<LexicalEntry id="e{n}"><Lemma writtenForm="{word}" partOfSpeech="n"/>'
        + "".join(f'<Sense id="{n}{id}" synset="{id}"/>' for id in ids)
        + "</LexicalEntry>"
        for n, (word, ids) in enumerate({**senses, **more}.items())
    )
    (tmp_path / "w.xml").write_text(f"<LexicalResource><Lexicon>{entries}</Lexicon></LexicalResource>")
    dict_ = tmp_path / "dict"
    dict_.mkdir()
    offsets = {id: f"{n:08d}" for n, id in enumerate(sorted(members), 1)}
    licence = "  1 This software and database is provided under a licence.\n"
    data = "".join(
        f"{offsets[id]} 04 n {len(words):02x} "
        + "".join(f"{w.replace(' ', '_')} 0 " for w in words)
        + "000 | gloss; of 2\n"
        for id, words in sorted(members.items())
    )
    index = "".join(
        f"{w.replace(' ', '_')} n {len(ids)} 1 @ {len(ids)} 0 {' '.join(offsets[id] for id in ids)}  \n"
        for w, ids in {**senses, **more}.items()
    )
    for name in ("noun", "verb", "adj", "adv"):
        (dict_ / f"data.{name}").write_text(licence + (data if name == "noun" else ""))
        (dict_ / f"index.{name}").write_text(licence + (index if name == "noun" else ""))

    for path in (folder, yaml, tmp_path / "w.xml", dict_):
        wordnet = open_wordnet(path)
        assert {word: wordnet.synonyms(word, "n") for word in senses} == expected, path


def test_on_the_real_wordnet_synonyms_are_of_the_chief_sense(real: Path) -> None:
    wordnet = open_wordnet(real / "wordnet_en" / "synsets_with_synonyms.jsonl.gz")
    assert len(wordnet) > 5000
    assert "instructor" in wordnet.synonyms("teacher", "n")
    assert wordnet.synonyms("currency", "n") == ()  # "currentness": an odd word for another sense
    assert wordnet.synonyms("buy", "v") == ()  # "bribe" is another sense
