"""Merged: a plain Hugging Face folder with the adapter merged into the base."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, final

from pydantic import Field

from tuneloop.errors import ModelError
from tuneloop.exporting import probes
from tuneloop.exporting.exporters import Exporter

if TYPE_CHECKING:
    import torch

    from tuneloop.models import Loaded


@final
class Merged(Exporter):
    """Weights, tokenizer, chat template and generation settings that transformers opens without tuneloop.

    The adapter is merged in fp32 into the matrices that it was trained beside: of a quantised base these are the
    rounded ones, given back in full. Then the folder is opened again by transformers
    alone and asked what the original was asked: conversations as the server renders them, and random tokens. Full
    models are written as they are and pass the same gate. A classifier is asked for its labels, and the written one
    for all of them in one padded batch.

    Formula:
        ``W' = W + (lora_alpha / r) * B A`` for each adapted matrix (Hu et al., LoRA, 2021, section 4.1).
    """

    dtype: Literal["fp32", "bf16", "fp16"] = "fp32"
    """Numbers in the file; the shorter ones halve it and round every weight."""
    tolerance: float = Field(1e-4, gt=0)
    """How far a logit may lie from the original's, apart from the rounding to ``dtype``."""

    def write(self, loaded: Loaded, folder: Path) -> dict[str, Any]:
        """Merge, write, open again, compare.

        Args:
            loaded: The tuned model; its weights are merged in place, so it is of no use afterwards.
            folder: An empty folder to write in.

        Returns:
            ``max_logit_difference`` to the original, ``merge_difference`` and ``file_difference`` (before and
            after writing), ``greedy_equal``, ``greedy_ties`` and ``greedy_prompts``, ``tolerance``, ``dtype``,
            ``probe_tokens``. A tie is an answer that differs from where the tokens taken lay so near one another
            that a logit off by the tolerance decides which is taken: within twice the tolerance.

        Raises:
            ModelError: The merged weights or the written files do not answer like the original.
        """
        from tuneloop.models import save_model
        from tuneloop.models.generate import context_length
        from tuneloop.models.merge import merged
        from tuneloop.models.quantized import compute_plainly
        from tuneloop.models.quiet import quietly

        loaded.model.float().eval()
        compute_plainly(loaded.model)
        vocabulary = int(loaded.model.get_input_embeddings().weight.shape[0])  # type: ignore[operator]
        asked = probes.prompts(loaded.tokenizer, vocabulary, context_length(loaded))
        original = probes.logits(loaded.model, asked)
        answered = probes.answers(loaded, asked)
        loaded.model = merged(loaded.model)
        merge = probes.farthest(original, probes.logits(loaded.model, asked))
        self._refuse(merge, "merging the adapter changes the answers", folder)
        expected = _rounded(loaded.model, self.dtype, asked)
        device = loaded.device
        with quietly():
            save_model(loaded, folder)
            kind = _auto_class(loaded.model)
            del loaded.model
            opened = kind.from_pretrained(folder, local_files_only=True, dtype="float32")
        opened.to(device).eval()
        found = probes.logits(opened, asked)
        file = probes.farthest(expected, found)
        self._refuse(file, "the written files do not hold the merged weights", folder)
        answers = list(zip(asked, answered, probes.plain_answers(opened, asked), strict=True))
        equal, ties = self._compared(opened, answers, loaded.tokenizer.end_ids, folder)
        _same_prompts(loaded, folder)
        return {
            "max_logit_difference": probes.farthest(original, found),
            "merge_difference": merge,
            "file_difference": file,
            "tolerance": self.tolerance,
            "greedy_equal": equal,
            "greedy_ties": ties,
            "greedy_prompts": len(answers),
            "probe_tokens": sum(len(ids) for ids in asked),
            "dtype": self.dtype,
        }

    def _compared(
        self,
        opened: Any,
        answers: Sequence[tuple[Sequence[int], Sequence[int], Sequence[int]]],
        ends: Sequence[int],
        folder: Path,
    ) -> tuple[int, int]:
        """How many answers are equal, and how many differ from a tie on; others are refused in fp32."""
        differing = [each for each in answers if each[1] != each[2]]
        faults = [each for each in differing if not probes.margin(opened, *each, ends) <= 2 * self.tolerance]
        if self.dtype == "fp32" and faults:
            raise ModelError(
                f"{len(faults)} of {len(answers)} greedy answers differ from the original's",
                where=str(folder),
                fix="report this with your recipe; serve the adapter itself meanwhile",
            )
        return len(answers) - len(differing), len(differing) - len(faults)

    def _refuse(self, difference: float, what: str, folder: Path) -> None:
        if not difference <= self.tolerance:
            raise ModelError(
                f"{what}: logits differ by up to {difference:.3g}, allowed are {self.tolerance:.3g}",
                where=str(folder),
                fix="check that model and base are whole (tuneloop show MODEL); a model of many billions of weights "
                "may need a larger export.to.merged.tolerance",
            )


def _auto_class(model: Any) -> Any:
    """By which class transformers opens a plain model of this kind."""
    from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

    return AutoModelForCausalLM if model.can_generate() else AutoModelForSequenceClassification


def _rounded(model: Any, dtype: str, asked: list[tuple[int, ...]]) -> list[torch.Tensor]:
    """Round the weights to what the file will hold, and give the logits that they then have in fp32."""
    import torch

    kind = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[dtype]
    for tensor in model.state_dict().values():  # not the position tables, which no file holds
        if tensor.is_floating_point():
            tensor.copy_(tensor.to(kind))
    expected = probes.logits(model, asked)
    model.to(kind)
    return expected


def _same_prompts(loaded: Loaded, folder: Path) -> None:
    """Check that the written tokenizer renders conversations as ours does."""
    from transformers import AutoTokenizer

    plain = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    for chat in probes.CHATS:
        turns = [{"role": message.role, "content": message.content} for message in chat]
        theirs = plain.apply_chat_template(turns, add_generation_prompt=True, return_dict=True)["input_ids"]
        if list(theirs) != loaded.tokenizer.chat_ids(chat, generation=True):
            raise ModelError(
                "the written chat template renders a conversation otherwise than tuneloop does",
                where=str(folder),
                fix="give a template without a surplus after its generation prompt, with model.chat_template",
            )
