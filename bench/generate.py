"""Tokens per CPU second of our continuous-batching decoder beside ``model.generate``: same weights, prompts, lengths.

    python -m bench.generate --size 0.5B --json generate.json

The weights are random, so the answers are noise; what is compared is the work per token. Both decode greedily
and both must make exactly ``--tokens`` tokens for every prompt.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any

from bench import report
from bench.shapes import SHAPES, make


def prompts_of(count: int, longest: int, vocabulary: int) -> list[list[int]]:
    """Prompts of uneven length, from half of ``longest`` up to it."""
    draw = random.Random(0)
    return [
        [draw.randrange(10, vocabulary) for _ in range(draw.randint(max(1, longest // 2), longest))]
        for _ in range(count)
    ]


def ours(loaded: Any, prompts: list[list[int]], tokens: int) -> list[list[int]]:
    """Answers from ``tuneloop.models.generate``."""
    from tuneloop.models.generate import Request, generate

    requests = [Request(tuple(prompt), max_new_tokens=tokens) for prompt in prompts]
    return [list(answer.ids) for answer in generate(loaded, requests, batch=len(prompts))]


def theirs(loaded: Any, prompts: list[list[int]], tokens: int) -> list[list[int]]:
    """Answers from ``model.generate``, prompts padded on the left."""
    import torch

    longest = max(map(len, prompts))
    pad = loaded.tokenizer.pad_id
    ids = torch.tensor([[pad] * (longest - len(prompt)) + prompt for prompt in prompts])
    mask = torch.tensor([[0] * (longest - len(prompt)) + [1] * len(prompt) for prompt in prompts])
    with torch.inference_mode():
        out = loaded.model.generate(
            input_ids=ids,
            attention_mask=mask,
            do_sample=False,
            max_new_tokens=tokens,
            min_new_tokens=tokens,
            pad_token_id=pad,
        )
    made: list[list[int]] = out[:, longest:].tolist()
    return made


def loaded_of(size: str, dtype: str) -> Any:
    """A random model of a shape with the embedded tokenizer, made never to stop by itself."""
    import torch

    from tuneloop import embedded
    from tuneloop.models import Loaded, Tokenizer
    from tuneloop.models.find import Base
    from tuneloop.models.section import ModelSection

    tokenizer = Tokenizer.load(embedded.base())
    tokenizer.end_ids = ()
    model = make(size).to(getattr(torch, dtype)).eval()
    model.generation_config.eos_token_id = None
    return Loaded(model, tokenizer, Base(size, embedded.base(), "random", None), ModelSection(base=size))


def measure(loaded: Any, batch: int, longest: int, tokens: int, rounds: int) -> dict[str, Any]:
    """Medians of interleaved rounds at one batch size."""
    prompts = prompts_of(batch, longest, loaded.tokenizer.hf.vocab_size)
    answers: dict[str, list[list[int]]] = {}

    def timed(name: str, run: Callable[[Any, list[list[int]], int], list[list[int]]]) -> Callable[[], float]:
        def once() -> float:
            began = time.process_time()
            answers[name] = run(loaded, prompts, tokens)
            spent = time.process_time() - began
            short = [len(ids) for ids in answers[name] if len(ids) != tokens]
            if short:
                raise RuntimeError(f"{name} made {short} tokens instead of {tokens}")
            return batch * tokens / spent

        return once

    rates = report.interleaved({"tuneloop": timed("tuneloop", ours), "model.generate": timed("", theirs)}, rounds)
    a, b = report.median(rates["tuneloop"]), report.median(rates["model.generate"])
    same = sum(x == y for x, y in zip(answers["tuneloop"], answers[""], strict=True))
    return {"batch": batch, "tuneloop": a, "model.generate": b, "ratio": a / b, "same answers": same, "rates": rates}


def main(arguments: list[str] | None = None) -> None:
    """Measure, print, write."""
    parser = report.options("Generation: ours beside model.generate, tokens per CPU second.")
    parser.add_argument("--size", choices=list(SHAPES), default="0.5B")
    parser.add_argument("--dtype", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 8], help="requests at once")
    parser.add_argument("--prompt", type=int, default=96, help="tokens of the longest prompt")
    parser.add_argument("--tokens", type=int, default=None, help="tokens per answer; 16 with --quick, else 64")
    parser.add_argument("--rounds", type=int, default=None, help="2 with --quick, else 5")
    given = parser.parse_args(arguments)
    where = report.machine()
    tokens = given.tokens or (16 if given.quick else 64)
    rounds = given.rounds or (2 if given.quick else 5)
    loaded = loaded_of(given.size, given.dtype)
    measure(loaded, 1, 8, 2, 1)  # warms both paths up
    rows = [measure(loaded, batch, given.prompt, tokens, rounds) for batch in given.batches]
    shown = [{key: row[key] for key in row if key != "rates"} for row in rows]
    report.show(f"generated tokens per CPU second, {given.size} {given.dtype}, {tokens} tokens an answer", shown)
    report.write(given.json, "generate", {"size": given.size, "dtype": given.dtype, "rows": rows}, where)


if __name__ == "__main__":
    main()
