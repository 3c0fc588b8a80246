"""Preference: which answers are learned from, the six losses against papers, TRL and plain torch."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from tuneloop.errors import DataError
from tuneloop.models import Loaded, find_base, load_base
from tuneloop.models.section import ModelSection
from tuneloop.models.tokenizer import Tokenizer
from tuneloop.parts import find
from tuneloop.rows import Chat, Drop, Message, Record, Text
from tuneloop.rows import Preference as Pair
from tuneloop.store import Store
from tuneloop.tasks import Batch, Example, Task
from tuneloop.tasks import _preference_losses as losses
from tuneloop.tasks._preference_model import compared, logps

PAIRED = ("sigmoid", "robust", "ipo", "simpo", "orpo")


@pytest.fixture(scope="module")
def tokenizer(tiny_tokenizer: Path) -> Tokenizer:
    return Tokenizer.load(tiny_tokenizer)


@pytest.fixture(scope="module")
def loaded(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    section = ModelSection(base=str(tiny_model))
    base = find_base(section, folder=Path(), store=Store(tmp_path_factory.mktemp("store")))
    found = load_base(base, section, preference(), seed=0)
    found.model.eval()
    return found


def preference(loss_type: str = "sigmoid", **options: Any) -> Any:
    if loss_type == "robust":
        options.setdefault("label_smoothing", 0.1)
    return find(Task, "preference")(loss_type=loss_type, **options)


def said(text: str, role: Any = "assistant") -> tuple[Message, ...]:
    return (Message(role, text),) if text else ()


def row(prompt: str, chosen: str, rejected: str) -> Record:
    return Record.of(Pair(said(prompt, "user"), said(chosen), said(rejected)), origin="pairs.jsonl:3")


ROWS = [
    row("what is two plus two", "it is four", "the fox asks the dog"),
    row("who jumps", "the quick brown fox jumps over the lazy dog", "dog"),
    row("今天天气", "很好", "the system is lazy and brown and asks what is over"),
]
JUDGED = [
    row("what is two", "a number", ""),
    row("who jumps over", "", "the dog"),
    *ROWS[:1],
    row("今天", "天气很好", ""),
]


def encode(task: Task, record: Record, tokenizer: Tokenizer, max_length: int = 512) -> list[Example]:
    found = task.encode(record, tokenizer, max_length)
    assert isinstance(found, list), found
    return found


def examples(task: Task, records: list[Record], tokenizer: Tokenizer, max_length: int = 512) -> list[Example]:
    made = (example for record in records for example in encode(task, record, tokenizer, max_length))
    return list(task.joined(made, max_length))


# --- rows ----------------------------------------------------------------------------------------


def test_both_answers_follow_the_same_prompt_and_end_with_a_learned_end_token(tokenizer: Tokenizer) -> None:
    for record in ROWS:
        (example,) = encode(preference(), record, tokenizer)
        content: Any = record.content
        prompt = tokenizer.chat_ids(content.prompt, generation=True)
        for run, answer in zip(preference().sequences(example), (content.chosen, content.rejected), strict=True):
            start = run.learn.index(1)
            assert list(run.ids[:start]) == prompt
            assert tokenizer.hf.decode(run.ids[start:]) == answer[0].content + "<|im_end|>"
            assert set(run.learn[start:]) == {1}


def test_an_example_is_two_sequences_and_counts_as_one_term(tokenizer: Tokenizer) -> None:
    task = preference()
    made = examples(task, ROWS, tokenizer)
    rows, stream = task.collate(made, 0), task.pack(made)
    assert (len(rows.ids), len(stream.ends)) == (6, 6)
    assert rows.supervised == stream.supervised == 3
    assert rows.tokens == stream.tokens == sum(len(example.ids) for example in made)


def test_a_row_with_one_answer_is_set_aside_unless_kto_learns_it(tokenizer: Tokenizer) -> None:
    for loss_type in PAIRED:
        drop = preference(loss_type).encode(JUDGED[0], tokenizer, 512)
        assert isinstance(drop, Drop)
        assert "loss_type: kto" in drop.reason
    assert len(encode(preference("kto"), JUDGED[0], tokenizer)) == 1


def test_kto_takes_a_pair_as_one_good_and_one_bad_answer(tokenizer: Tokenizer) -> None:
    good, bad = encode(preference("kto"), ROWS[0], tokenizer)
    assert (good.marks[1], bad.marks[1]) == (1, 0)
    assert "four" in tokenizer.hf.decode(good.ids)
    assert "fox" in tokenizer.hf.decode(bad.ids)


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (Record.of(Text("plain"), origin="t:1"), "text rows"),
        (Record.of(Chat((Message("user", "a"), Message("assistant", "b"))), origin="t:1"), "chat rows"),
        (Record.of(Pair(said("a", "user"), said("b"), said("c", "user")), origin="t:1"), "no turn of the assistant"),
    ],
)
def test_what_cannot_be_compared_is_set_aside(tokenizer: Tokenizer, record: Record, reason: str) -> None:
    drop = preference().encode(record, tokenizer, 512)
    assert isinstance(drop, Drop)
    assert reason in drop.reason


def test_too_long_is_dropped_refused_or_cut_for_both_answers_alike(tokenizer: Tokenizer) -> None:
    record = row("the quick brown fox " * 20, "jumps over the dog", "asks what is two")
    (whole,) = encode(preference(), record, tokenizer)
    longest = max(len(run.ids) for run in preference().sequences(whole))
    drop = preference().encode(record, tokenizer, longest - 1)
    assert isinstance(drop, Drop) and drop.reason == "longer than max_length"
    with pytest.raises(DataError, match=f"max_length is {longest - 1}"):
        preference(on_overlength="error").encode(record, tokenizer, longest - 1)
    (cut,) = encode(preference(on_overlength="truncate"), record, tokenizer, longest - 40)
    chosen, rejected = preference().sequences(cut)
    start = chosen.learn.index(1)
    assert chosen.ids[:start] == rejected.ids[:start]
    assert max(len(chosen.ids), len(rejected.ids)) == longest - 40
    for run, was in zip((chosen, rejected), preference().sequences(whole), strict=True):
        assert run.ids[start:] == was.ids[was.learn.index(1) :]


def test_truncate_leaves_out_the_oldest_turns_first(tokenizer: Tokenizer) -> None:
    turns = (Message("system", "be kind"), Message("user", "one"), Message("assistant", "two"), Message("user", "fox"))
    whole = Record.of(Pair(turns, said("dog"), said("lazy")), origin="p:1")
    short = Record.of(Pair((turns[0], turns[3]), said("dog"), said("lazy")), origin="p:1")
    (expected,) = encode(preference(), short, tokenizer)
    fits = max(len(run.ids) for run in preference().sequences(expected))
    (found,) = encode(preference(on_overlength="truncate"), whole, tokenizer, fits)
    assert (found.ids, found.marks) == (expected.ids, expected.marks)


words = st.text("abc ", min_size=1, max_size=30).filter(str.strip)


@settings(max_examples=60, deadline=None)
@given(
    prompt=words, chosen=words, rejected=words, max_length=st.integers(8, 90), how=st.sampled_from(["drop", "truncate"])
)
def test_no_answer_is_ever_cut(
    tokenizer: Tokenizer, prompt: str, chosen: str, rejected: str, max_length: int, how: str
) -> None:
    found = preference(on_overlength=how).encode(row(prompt, chosen, rejected), tokenizer, max_length)
    if isinstance(found, Drop):
        return
    for run, answer in zip(preference().sequences(found[0]), (chosen, rejected), strict=True):
        assert len(run.ids) <= max_length
        assert tokenizer.hf.decode(run.ids[run.learn.index(1) :]) == answer + "<|im_end|>"


def test_kto_measures_the_divergence_on_answers_to_other_prompts(tokenizer: Tokenizer) -> None:
    task = preference("kto")
    made = examples(task, JUDGED, tokenizer)
    texts = [[tokenizer.hf.decode(run.ids) for run in task.sequences(example)] for example in made]
    assert [both[1].split("assistant\n")[1] for both in texts] == [
        "the dog<|im_end|>",
        "it is four<|im_end|>",
        "天气很好<|im_end|>",
        "天气很好<|im_end|>",
        "a number<|im_end|>",
    ]
    assert all(own.split("assistant\n")[0] == other.split("assistant\n")[0] for own, other in texts)


@pytest.mark.parametrize("file", ["dpo_en_demo.json", "dpo_zh_demo.json", "kto_en_demo.json", "v1_dpo_demo.jsonl"])
def test_real_rows_of_other_tools_are_learned_from(real: Path, file: str) -> None:
    from tuneloop.data.formats import Format
    from tuneloop.data.readers import Reader

    stories = Tokenizer.load(real / "models" / "stories260K")
    rows = find(Reader, file.rsplit(".", maxsplit=1)[1])().rows(real / "formats" / "llamafactory" / file)
    task = preference("kto" if file.startswith("kto") else "sigmoid")
    form = find(Format, "preference")()
    seen = 0
    for raw, _ in zip(rows, range(25), strict=False):
        content = form.content({name: value for name, value in (raw.row or {}).items() if value is not None})
        prompt = stories.chat_ids(content.prompt, content.tools, generation=True)
        for example in task.joined(encode(task, Record.of(content, origin="r:1"), stories, 1 << 20), 1 << 20):
            runs = task.sequences(example)
            assert all(list(run.ids[: len(prompt)]) == prompt for run in runs)
            assert all(run.ids[-1] in stories.end_ids and run.learn[-1] == 1 for run in runs)
            assert all(sum(run.learn) == len(run.ids) - len(prompt) for run in runs)
            seen += 1
    assert seen >= 10


def test_an_evaluation_asks_the_prompt_for_the_chosen_answer(tokenizer: Tokenizer) -> None:
    question = preference().question(ROWS[0], tokenizer)
    assert question is not None
    assert list(question.prompt) == tokenizer.chat_ids(said("what is two plus two", "user"), generation=True)
    assert (question.reference, question.shown) == ("it is four", "what is two plus two")
    assert preference("kto").question(JUDGED[1], tokenizer) is None


# --- options -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"beta": 0}, "beta"),
        ({"beta": -0.1}, "beta"),
        ({"label_smoothing": 0.5}, "label_smoothing"),
        ({"loss_type": "ipo", "label_smoothing": 0.1}, "only sigmoid, robust and simpo read it"),
        ({"loss_type": "orpo", "simpo_gamma": 1.0}, "only simpo read it"),
        ({"simpo_gamma": 1.0}, "cannot act with loss_type sigmoid"),
        ({"loss_type": "orpo", "rpo_alpha": 1.0}, "rpo_alpha cannot act"),
        ({"desirable_weight": 2.0}, "only kto"),
        ({"loss_type": "robust"}, "robust without label_smoothing"),
        ({"on_overlength": "split"}, "on_overlength"),
    ],
)
def test_an_option_that_cannot_act_is_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        find(Task, "preference")(**options)


def test_every_option_may_stand_with_its_default() -> None:
    for loss_type in (*PAIRED, "kto"):
        made = preference(loss_type)
        assert find(Task, "preference").model_validate(made.spelled()["preference"]) == made


# --- losses against TRL --------------------------------------------------------------------------

# Made with TRL 1.16 from these log-probabilities (chosen 3, then rejected 3) by DPOTrainer._compute_loss,
# CPOTrainer.cpo_loss, ORPOTrainer.odds_ratio_loss and KTOTrainer._compute_loss, each on a model that gives just them.
SUMS = [-6.862, -6.004, -11.219, -7.587, -3.008, -7.981]
COUNTS = [5, 3, 7, 4, 2, 6]
REFERENCES = [-9.718, -2.112, -10.1, -8.397, -11.743, -10.3]
GOLDEN = [
    ("sigmoid", {"beta": 0.3}, 1.8598065376, -0.2154998779, 1.1864001751),
    ("robust", {"beta": 0.3, "label_smoothing": 0.1}, 2.0350439548, -0.2154998779, 1.1864001751),
    ("ipo", {"beta": 0.3}, 20.1110286713, -0.2154998779, 1.1864001751),
    ("simpo", {"beta": 2.0, "simpo_gamma": 0.7}, 1.2984389067, -3.3176317215, -3.1539442539),
    ("simpo", {"beta": 2.0, "simpo_gamma": 0.7, "label_smoothing": 0.1}, 1.2120701075, -3.3176317215, -3.1539442539),
    ("orpo", {"beta": 0.4}, 0.3126117289, -0.6635263562, -0.6307888892),
]


def pairs(values: list[float]) -> Tensor:
    return torch.tensor(values, dtype=torch.float64).view(2, 3).T


@pytest.mark.parametrize(("loss_type", "options", "loss", "chosen", "rejected"), GOLDEN)
def test_losses_and_rewards_are_those_of_trl(
    loss_type: str, options: dict[str, Any], loss: float, chosen: float, rejected: float
) -> None:
    sums, counts = pairs(SUMS), pairs(COUNTS)
    reference = None if loss_type in ("simpo", "orpo") else pairs(REFERENCES)
    each, rewards = compared(preference(loss_type, **options), sums, counts, reference)
    if loss_type == "orpo":
        each = each + (sums / counts)[:, 0]  # TRL's function gives the odds ratio's part alone
    assert each.mean().item() == pytest.approx(loss, rel=1e-6)
    assert rewards.mean(0).tolist() == pytest.approx([chosen, rejected], rel=1e-6)


@pytest.mark.parametrize(("kl", "loss"), [(1.0221666098, 0.6228501797), (0.0, 0.6180668473)])
def test_the_loss_of_kto_is_that_of_trl(kl: float, loss: float) -> None:
    ratio = torch.tensor(SUMS, dtype=torch.float64) - torch.tensor(REFERENCES, dtype=torch.float64)
    desirable = torch.tensor([True, False, True, True, False, False])
    each = losses.kto(ratio, desirable, 0.3, kl, (1.0, 1.3))
    assert each.mean().item() == pytest.approx(loss, rel=1e-6)


# --- losses against the papers, in plain words ---------------------------------------------------


def plain(task: Any, chosen: float, rejected: float, n: tuple[int, int], reference: tuple[float, float]) -> float:
    """The loss of one pair with nothing but Python's own numbers."""

    def s(x: float) -> float:
        return 1 / (1 + math.exp(-x))

    def odds(p: float) -> float:
        return p / (1 - p)

    beta, e = task.beta, task.label_smoothing
    ratio = (chosen - reference[0]) - (rejected - reference[1])
    mean = (chosen / n[0], rejected / n[1])
    if task.loss_type == "sigmoid":
        loss = -(1 - e) * math.log(s(beta * ratio)) - e * math.log(s(-beta * ratio))
    elif task.loss_type == "robust":
        loss = (-(1 - e) * math.log(s(beta * ratio)) + e * math.log(s(-beta * ratio))) / (1 - 2 * e)
    elif task.loss_type == "ipo":
        loss = ((chosen - reference[0]) / n[0] - (rejected - reference[1]) / n[1] - 1 / (2 * beta)) ** 2
    elif task.loss_type == "simpo":
        margin = beta * (mean[0] - mean[1]) - task.simpo_gamma
        loss = -(1 - e) * math.log(s(margin)) - e * math.log(s(-margin))
    else:
        ratio = odds(math.exp(mean[0])) / odds(math.exp(mean[1]))
        loss = -mean[0] - beta * math.log(s(math.log(ratio)))
    return loss - (task.rpo_alpha or 0) * mean[0]


OPTIONS: list[tuple[str, dict[str, Any]]] = [
    ("sigmoid", {}),
    ("sigmoid", {"beta": 0.5, "label_smoothing": 0.2, "rpo_alpha": 0.7}),
    ("robust", {"label_smoothing": 0.3}),
    ("ipo", {"beta": 0.2, "rpo_alpha": 0.1}),
    ("simpo", {"beta": 2.5, "simpo_gamma": 1.0, "label_smoothing": 0.1, "rpo_alpha": 0.5}),
    ("orpo", {"beta": 0.3}),
]


@pytest.mark.parametrize(("loss_type", "options"), OPTIONS)
def test_losses_are_the_papers_formulas_and_their_gradients_are_true(loss_type: str, options: dict[str, Any]) -> None:
    task = preference(loss_type, **options)
    reference = None if loss_type in ("simpo", "orpo") else pairs(REFERENCES)
    each, _ = compared(task, pairs(SUMS), pairs(COUNTS), reference)
    expected = [
        plain(task, SUMS[i], SUMS[i + 3], (COUNTS[i], COUNTS[i + 3]), (REFERENCES[i], REFERENCES[i + 3]))
        for i in range(3)
    ]
    assert each.tolist() == pytest.approx(expected, rel=1e-12)
    leaf = pairs(SUMS).requires_grad_()
    assert torch.autograd.gradcheck(lambda sums: compared(task, sums, pairs(COUNTS), reference)[0], leaf)


def test_the_gradient_of_kto_is_true() -> None:
    desirable = torch.tensor([True, False, True])
    leaf = torch.tensor([0.3, -1.0, 2.0], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda ratio: losses.kto(ratio, desirable, 0.5, 0.4, (1.5, 0.5)), leaf)


def test_orpo_stays_finite_where_an_answer_is_certain() -> None:
    sure = torch.tensor([0.0, -1e-9], requires_grad=True)
    loss = losses.orpo(sure, torch.tensor([-2.0, 0.0]), 0.1).sum()
    loss.backward()
    assert math.isfinite(loss.item())
    assert sure.grad is not None and torch.isfinite(sure.grad).all()


# --- losses of a model ---------------------------------------------------------------------------


def plain_logps(model: Any, batch: Batch) -> tuple[Tensor, Tensor]:
    """Sums and numbers of tokens from full logits, sequence by sequence, ``(examples, 2)``."""
    sums, counts = [], []
    for ids, mask, labels in zip(batch.ids, batch.mask, batch.labels, strict=True):
        length = int(mask.sum())
        scores = model(input_ids=ids[None, :length], use_cache=False).logits[0, :-1].double().log_softmax(-1)
        learned = labels[1:length] != -100
        sums.append(scores.gather(1, ids[1:length, None])[:, 0][learned].sum())
        counts.append(learned.sum())
    return torch.stack(sums).view(-1, 2), torch.stack(counts).view(-1, 2)


def valued(task: Any, loaded: Loaded, batch: Batch) -> Batch:
    """A batch with a made-up reference."""
    import dataclasses

    sums, _ = plain_logps(loaded.model, batch)
    shift = torch.linspace(-2, 2, sums.numel()).view_as(sums)
    return dataclasses.replace(batch, values=(sums.detach() + shift).float())


def gradients(loaded: Loaded, loss: Tensor) -> list[Tensor]:
    weights = [weight for weight in loaded.model.parameters() if weight.requires_grad]
    return list(torch.autograd.grad(loss, weights))


def close(one: list[Tensor], two: list[Tensor], rel: float = 1e-5) -> bool:
    off = torch.stack([(a - b).norm() for a, b in zip(one, two, strict=True)]).norm()
    return bool(off <= rel * torch.stack([b.norm() for b in two]).norm())


@pytest.mark.parametrize("loss_type", PAIRED)
def test_the_loss_of_a_batch_and_its_gradient_are_those_of_plain_torch(loaded: Loaded, loss_type: str) -> None:
    task = preference(loss_type)
    batch = valued(task, loaded, task.collate(examples(task, ROWS, loaded.tokenizer), loaded.tokenizer.pad_id))
    loss = task.loss(loaded.model, batch)
    sums, counts = plain_logps(loaded.model, batch)
    expected = compared(task, sums, counts, None if loss_type in ("simpo", "orpo") else batch.values)[0].sum()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    assert close(gradients(loaded, loss), gradients(loaded, expected))


@pytest.mark.parametrize("loss_type", [*PAIRED, "kto"])
def test_a_batch_is_the_sum_of_its_pairs(loaded: Loaded, loss_type: str) -> None:
    import dataclasses

    task = preference(loss_type)
    made = examples(task, JUDGED if loss_type == "kto" else ROWS, loaded.tokenizer)
    batch = valued(task, loaded, task.collate(made, 0))
    assert batch.values is not None
    alone = [
        dataclasses.replace(task.collate([example], 0), values=batch.values[place : place + 1])
        for place, example in enumerate(made)
    ]
    if loss_type == "kto":
        gauge = task.gauge()(loaded.model, batch).item() / len(made)
        assert sum(task.gauge()(loaded.model, part).item() for part in alone) == pytest.approx(
            gauge * len(made), rel=1e-5
        )
        batch, *alone = (dataclasses.replace(each, gauge=gauge) for each in (batch, *alone))
    whole, parts = batch, alone
    one = task.loss(loaded.model, whole)
    many = torch.stack([task.loss(loaded.model, part) for part in parts]).sum()
    assert one.item() == pytest.approx(many.item(), rel=1e-5)
    assert close(gradients(loaded, one), gradients(loaded, many))
    names = whole.figures
    assert {name: float(value) for name, value in names.items()} == pytest.approx(
        {name: float(sum(part.figures[name] for part in parts)) for name in names}, rel=1e-4
    )


def test_kto_is_that_of_plain_torch(loaded: Loaded) -> None:
    task = preference("kto", beta=0.5, undesirable_weight=1.5)
    batch = valued(task, loaded, task.collate(examples(task, JUDGED, loaded.tokenizer), 0))
    assert batch.values is not None and batch.marks is not None
    loss = task.loss(loaded.model, batch)
    sums, _ = plain_logps(loaded.model, batch)
    ratios = sums - batch.values
    kl = ratios[:, 1].mean().clamp(min=0).detach()
    each = [
        (1 - torch.sigmoid(0.5 * (ratio - kl))) if good else 1.5 * (1 - torch.sigmoid(0.5 * (kl - ratio)))
        for ratio, good in zip(ratios[:, 0], batch.marks[:, 1], strict=True)
    ]
    expected = torch.stack(each).sum()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    assert close(gradients(loaded, loss), gradients(loaded, expected))
    assert float(batch.figures["kl"]) == pytest.approx(5 * kl.item(), rel=1e-4)


def test_at_the_reference_the_losses_are_what_they_must_be(loaded: Loaded) -> None:
    import dataclasses

    expected = {"sigmoid": math.log(2), "robust": math.log(2), "ipo": 1 / (2 * 0.1) ** 2, "kto": 0.5}
    for loss_type, value in expected.items():
        task = preference(loss_type)
        batch = task.collate(examples(task, ROWS, loaded.tokenizer), 0)
        with torch.no_grad():
            batch = dataclasses.replace(batch, values=task.reference()(loaded.model, batch))
            assert task.loss(loaded.model, batch).item() / batch.supervised == pytest.approx(value, abs=1e-6)


def test_figures_are_means_by_trls_names(loaded: Loaded) -> None:
    task = preference(beta=0.5)
    batch = valued(task, loaded, task.collate(examples(task, ROWS, loaded.tokenizer), 0))
    task.loss(loaded.model, batch)
    told = task.figures({name: float(value) for name, value in batch.figures.items()})
    sums, _ = plain_logps(loaded.model, batch)
    rewards = 0.5 * (sums - batch.values)
    assert told == pytest.approx(
        {
            "rewards/chosen": rewards[:, 0].mean().item(),
            "rewards/rejected": rewards[:, 1].mean().item(),
            "rewards/margins": (rewards[:, 0] - rewards[:, 1]).mean().item(),
            "rewards/accuracies": (rewards[:, 0] > rewards[:, 1]).double().mean().item(),
            "logps/chosen": sums[:, 0].mean().item(),
            "logps/rejected": sums[:, 1].mean().item(),
            "logps/accuracies": (sums[:, 0] > sums[:, 1]).double().mean().item(),
        },
        rel=1e-4,
    )


def test_sums_of_a_stream_are_those_of_its_sequences(loaded: Loaded, monkeypatch: pytest.MonkeyPatch) -> None:
    from tuneloop.tasks import _preference_model

    task = preference()
    made = examples(task, ROWS, loaded.tokenizer)
    rows, stream = task.collate(made, 0), task.pack(made)

    def told(model: Any, ids: Tensor, labels: Tensor, ends: Any = ()) -> Tensor:
        return labels[labels != -100].float()

    monkeypatch.setattr(_preference_model, "token_losses", told)
    for one, two in zip(logps(loaded.model, rows), logps(loaded.model, stream), strict=True):
        assert torch.equal(one, two)
