"""Packed equals padded equals each document alone, for every family that may be packed; the others are refused."""

from __future__ import annotations

import copy
from functools import cache
from typing import Any

import pytest
import torch
from tests.truth.families import FAMILIES, make
from tests.truth.oracle import PRECISE, assert_equal, documents, exact, gradients, kin, losses, padded

from tuneloop.errors import TrainingError
from tuneloop.models.adapters import Adapter
from tuneloop.models.kernels import head
from tuneloop.models.logits import token_losses
from tuneloop.models.stream import shares_prefixes
from tuneloop.parts import find
from tuneloop.tasks import Batch, Example, Task
from tuneloop.training.noise import add_noise
from tuneloop.training.precision import Precision
from tuneloop.training.quickened import Quick, quick
from tuneloop.training.section import TrainSection

SFT = find(Task, "sft")()
LENGTHS = [17, 2, 9, 33, 12]
"""Longer and shorter than the sliding windows; a document of two tokens, and one that teaches nothing."""
CROWDS = {"strangers": documents(LENGTHS), "kin": kin()}
"""Documents that have nothing in common, and such whose common beginnings a stream may read once."""
CANNOT = {"mamba", "mamba2", "falcon_h1", "recurrent_gemma", "lfm2", "qwen3_next", "bloom", "gemma2", "gpt_oss"}
"""Families that carry a state from token to token, or whose attention does what the streams' attention cannot."""
MUST = FAMILIES.keys() - CANNOT - {"llama4_text", "deepseek_v3", "mamba2"}
"""Families that would train slowly for no reason if they were not packed."""


def readied(model: Any, **batch: Any) -> Quick:
    """Put kernels and streams into a model as a run does."""
    section = TrainSection.model_validate({"batch": batch})
    return quick(section, model, SFT, Precision("fp32", torch.device("cpu"), 0))


@cache
def plain(family: str) -> Any:
    """The oracle, in double precision."""
    eager = {} if family.startswith("mamba") else {"attn_implementation": "eager"}
    return make(family, **eager).double().eval()


@cache
def ours(family: str, *, head: str = "learns") -> tuple[Any, Quick]:
    """The model under test; a frozen head goes another way, in tiles and without a gradient of its own."""
    model = make(family).eval()
    model.get_output_embeddings().requires_grad_(head == "learns")
    return model, readied(model)


@cache
def right(family: str, crowd: str) -> Any:
    """The exact loss and gradients."""
    return exact(plain(family), CROWDS[crowd])


@cache
def usual(family: str, crowd: str) -> Any:
    """What transformers makes of it in fp32."""
    return padded(make(family).eval(), SFT.collate(CROWDS[crowd], 0))


def batches(family: str, examples: list[Example]) -> dict[str, Batch]:
    """The examples side by side, and in one stream where the model may be packed."""
    found = {"padded": SFT.collate(examples, 0)}
    if ours(family)[1].packing:
        found["packed"] = SFT.pack(examples)
    return found


@pytest.mark.parametrize("crowd", CROWDS)
@pytest.mark.parametrize("head", ["learns", "frozen"])
@pytest.mark.parametrize("family", FAMILIES)
def test_loss_and_every_gradient_are_those_of_each_document_alone(family: str, head: str, crowd: str) -> None:
    model, _ = ours(family, head=head)
    learning = {name for name, weight in model.named_parameters() if weight.requires_grad}
    loss_alone, wanted = right(family, crowd)
    for how, batch in batches(family, CROWDS[crowd]).items():
        loss = SFT.loss(model, batch)
        model.zero_grad(set_to_none=True)
        loss.backward()
        assert loss.item() == pytest.approx(loss_alone, rel=PRECISE), how
        only = {name: gradient for name, gradient in wanted.items() if name in learning}
        assert_equal(gradients(model), only, usual(family, crowd)[1])


def test_a_cap_on_logits_is_seen_though_the_first_logits_are_too_small_to_reach_it() -> None:
    """A random model's logits are near zero, where a cap of 30 bends nothing; a trained one's are not."""
    model = make("gemma2", final_logit_softcapping=30.0).eval()
    head = model.get_output_embeddings().requires_grad_(False)
    with torch.no_grad():
        head.weight.mul_(0.01)
    examples = documents([17, 12])
    batch = SFT.collate(examples, 0)
    SFT.loss(model, batch)
    with torch.no_grad():
        model.model.norm.weight.add_(2000.0)
    alone = sum(float(losses(model, example).sum()) for example in examples)
    assert SFT.loss(model, batch).item() == pytest.approx(alone, rel=PRECISE)


def test_a_head_that_is_set_free_learns() -> None:
    model = make("llama").eval().requires_grad_(False)
    batch = SFT.collate(documents([17, 12]), 0)
    SFT.loss(model, batch)
    model.requires_grad_(True)
    SFT.loss(model, batch).backward()
    assert model.lm_head.weight.grad is not None


@pytest.mark.parametrize("crowd", CROWDS)
@pytest.mark.parametrize("family", FAMILIES)
def test_each_tokens_loss_is_its_own_in_any_company_and_order(family: str, crowd: str) -> None:
    model, _ = ours(family)
    examples = CROWDS[crowd]
    with torch.no_grad():
        alone = [losses(plain(family), example) for example in examples]
    for turned in range(0, len(examples), 2):
        order = [*range(turned, len(examples)), *range(turned)]
        for how, batch in batches(family, [examples[place] for place in order]).items():
            with torch.no_grad():
                found = token_losses(model, batch.ids, batch.labels, batch.ends)
            wanted = torch.cat([alone[place] for place in order if any(examples[place].learn[1:])])
            torch.testing.assert_close(found.double(), wanted, rtol=5e-6, atol=5e-6, msg=lambda m, how=how: how + m)


@pytest.mark.parametrize("crowd", CROWDS)
@pytest.mark.parametrize("family", FAMILIES)
def test_other_tokens_in_one_document_change_no_loss_of_its_neighbours(family: str, crowd: str) -> None:
    model, _ = ours(family)
    examples = CROWDS[crowd]
    for changed in range(0, len(examples), 2):
        old = examples[changed]
        other = Example(documents([len(old.ids)], seed=99)[0].ids, old.learn, "other")
        changes = batches(family, [*examples[:changed], other, *examples[changed + 1 :]])
        for how, batch in batches(family, examples).items():
            with torch.no_grad():
                before = token_losses(model, batch.ids, batch.labels, batch.ends)
                after = token_losses(model, changes[how].ids, batch.labels, batch.ends)
            counts = [sum(example.learn[1:]) for example in examples]
            for place, (one, two) in enumerate(zip(before.split(counts), after.split(counts), strict=True)):
                if place != changed and len(one):
                    assert float((one - two).abs().max()) <= PRECISE * float(one.max()), (how, changed, place)


@pytest.mark.parametrize("family", FAMILIES)
def test_what_cannot_be_packed_exactly_falls_back_and_refuses_to_be_forced(family: str) -> None:
    found = ours(family)[1]
    assert bool(found.unpacked) is not found.packing
    assert not (family in CANNOT and found.packing)
    assert not (family in MUST and not found.packing), found.unpacked
    if not found.packing:
        with pytest.raises(TrainingError, match="cannot be packed") as error:
            readied(make(family), packing=True)
        assert "auto" in error.value.problems[0].fix


@pytest.mark.parametrize(("dropout", "alpha", "shared"), [(0.0, None, True), (0.3, None, False), (0.0, 5.0, False)])
def test_what_documents_begin_with_is_read_once_only_where_nothing_is_drawn_for_it(
    dropout: float, alpha: float | None, shared: bool
) -> None:
    """Also with a new adapter, whose zeros hide what its dropout will do after the first step."""
    model = find(Adapter, "lora")(r=2, lora_dropout=dropout, target_modules="all-linear").attach(make("llama"))
    if alpha:
        add_noise(model, alpha)
    assert readied(model.train()).packing
    assert shares_prefixes(model, (3, 5)) is shared
    assert shares_prefixes(model.eval(), (3, 5))


@pytest.mark.parametrize("tile", [16, 33, 97])
@pytest.mark.parametrize("family", ["llama", "gpt_neox", "phi3", "granite"])
def test_a_vocabulary_in_tiles_is_exact_too(monkeypatch: pytest.MonkeyPatch, family: str, tile: int) -> None:
    """A head of 97 rows in tiles of fewer, and losses of three tokens at a time."""
    monkeypatch.setattr(head, "TILE", tile)
    monkeypatch.setattr(head, "HELD", 3 * 97)
    model, _ = ours(family, head="frozen")
    loss_alone, wanted = right(family, "strangers")
    learning = {name: wanted[name] for name, weight in model.named_parameters() if weight.requires_grad}
    loss = SFT.loss(model, SFT.pack(CROWDS["strangers"]))
    loss.backward()
    assert loss.item() == pytest.approx(loss_alone, rel=PRECISE)
    assert_equal(gradients(model), learning, usual(family, "strangers")[1])


@pytest.mark.parametrize("family", ["llama", "mistral", "gemma3_text", "gpt2"])
def test_documents_longer_than_a_tile_of_attention_are_exact_too(family: str) -> None:
    """Attention goes through the stream in tiles, and computes its probabilities twice for long documents."""
    window = {"sliding_window": 150} if family in ("mistral", "gemma3_text") else {}
    examples = documents([300, 7, 129, 260])
    alone, wanted = exact(make(family, attn_implementation="eager", **window).double().eval(), examples)
    _, theirs = padded(make(family, **window).eval(), SFT.collate(examples, 0))
    model = make(family, **window).eval()
    assert readied(model, packing=True).packing
    loss = SFT.loss(model, SFT.pack(examples))
    loss.backward()
    assert loss.item() == pytest.approx(alone, rel=PRECISE)
    assert_equal(gradients(model), wanted, theirs)


@pytest.mark.parametrize("crowd", CROWDS)
@pytest.mark.parametrize("options", [{}, {"use_rslora": True}, {"use_dora": True}], ids=["lora", "rslora", "dora"])
@pytest.mark.parametrize("family", ["llama", "qwen3", "gpt2", "phi3", "mixtral", "lfm2"])
def test_with_an_adapter_of_peft_too(family: str, options: dict[str, bool], crowd: str) -> None:
    examples = CROWDS[crowd]
    adapter = find(Adapter, "lora")(r=2, lora_dropout=0.0, target_modules="all-linear", **options)
    torch.manual_seed(1)
    model = adapter.attach(make(family))
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.1)
    oracle, theirs = copy.deepcopy(model), copy.deepcopy(model).eval()
    oracle.get_base_model().set_attn_implementation("eager")
    if family == "mixtral":
        oracle.get_base_model().set_experts_implementation("eager")
    alone, wanted = exact(oracle.double().eval(), examples)
    _, rounded = padded(theirs, SFT.collate(examples, 0))
    packing = readied(model.eval()).packing
    assert packing or family == "lfm2"
    for batch in [SFT.collate(examples, 0), *([SFT.pack(examples)] if packing else [])]:
        loss = SFT.loss(model, batch)
        loss.backward()
        assert loss.item() == pytest.approx(alone, rel=PRECISE)
        assert_equal(gradients(model), wanted, rounded)
