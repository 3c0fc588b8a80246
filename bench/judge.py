"""One judge for all trainers: the loss of an adapter on rows, by plain transformers and PEFT in fp32."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bench.material import ids_of


class Judge:
    """Measures adapters of one base.

    Args:
        model: Folder of the base and its tokenizer.
        rows: Rows to measure on, as ``bench.material`` has them.
        device: Where it computes.
    """

    def __init__(self, model: Path, rows: list[dict[str, str]], device: str = "cpu") -> None:
        from transformers import AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(model)
        self.model, self.device = model, device
        self.rows = [ids_of(tokenizer, row) for row in rows]

    def loss(self, adapter: str | None = None) -> float:
        """Mean negative log-likelihood of the answers, in nats per token, every row alone.

        Args:
            adapter: Folder of the adapter; None measures the base.
        """
        from transformers import AutoModelForCausalLM

        model = AutoModelForCausalLM.from_pretrained(self.model, dtype="float32")
        if adapter is not None:
            from peft import PeftModel

            model = PeftModel.from_pretrained(model, adapter)
        return self._mean(model.to(self.device).eval())

    def kept(self, folder: Path, adapter: str | None) -> float:
        """The loss of an adapter, measured once.

        Args:
            folder: Where it is kept.
            adapter: Folder of the adapter; None measures the base.
        """
        file = folder / "heldout.json"
        if not file.exists():
            folder.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(self.loss(adapter)), encoding="utf-8")
        return float(json.loads(file.read_text(encoding="utf-8")))

    def _mean(self, model: Any) -> float:
        import torch

        total, tokens = 0.0, 0
        with torch.inference_mode():
            for asked, whole in self.rows:
                ids, count = torch.tensor([whole], device=self.device), len(whole) - len(asked)
                logits = model(input_ids=ids, use_cache=False, logits_to_keep=count + 1).logits[0, :-1].double()
                total += torch.nn.functional.cross_entropy(logits, ids[0, -count:], reduction="sum").item()
                tokens += count
        return total / tokens
