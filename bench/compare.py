"""All tools on one shape and adapter setting: trials, interleaved rounds, and the comparison with the best peer."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bench import report
from bench.drivers.job import Job
from bench.judge import Judge
from bench.material import Material, ours_first, write_rows
from bench.shapes import least_flops, linear_sizes
from bench.tools import OURS, TOOLS, Bench, Tool

TARGETS = {"qv": ["q_proj", "v_proj"], "all": list(linear_sizes("tiny"))}
FAR = 0.5
"""A peer slower than this share of the fastest one is not measured again."""
TRIAL = 2
"""Optimizer steps after the first in a trial of a number of rows at once."""


class Comparison:
    """All tools on one shape and adapter setting.

    Args:
        given: The command line.
        shape: A key of ``bench.shapes.SHAPES``.
        adapter: A key of ``TARGETS``.
        material: The model, and as many rows as the steps take.
        bench: Where and how the tools are run.
        rate: Floating-point operations per second of a large matrix product here.
        chosen: Rows at once and tokens of a pack that tuned tools have shown to be fastest with, by tool; filled here.
    """

    def __init__(
        self,
        given: Any,
        shape: str,
        adapter: str,
        *,
        material: Material,
        bench: Bench,
        rate: float,
        chosen: dict[str, tuple[int, int]] | None = None,
    ) -> None:
        self.given, self.shape, self.adapter = given, shape, adapter
        self.material, self.bench, self.rate = material, bench, rate
        self.steps = len(material.train) // given.batch
        self.judge = Judge(material.model, material.held_out, bench.device)
        self.chosen = {} if chosen is None else chosen
        bench.folder.mkdir(parents=True, exist_ok=True)
        write_rows(bench.folder / "rows.jsonl", material.train)

    def tools(self) -> list[Tool]:
        """The tools that are asked for and can run, ours first."""
        return [tool for tool in map(TOOLS.__getitem__, self.given.tools) if self.bench.python(tool) is not None]

    def run(self) -> dict[str, Any]:
        """Measure, in turns; the first round decides which peers are measured again."""
        outcomes: dict[str, list[dict[str, Any]]] = {tool.name: [] for tool in self.tools()}
        for turn in range(self.given.rounds):
            for tool in self.tools():
                if turn and not self._again(tool, outcomes):
                    continue
                report.said(f"{self.shape} {self.adapter}, round {turn + 1} of {self.given.rounds}: {tool.name}")
                outcomes[tool.name].append(self._outcome(tool, turn))
        failed = {name: run["failed"] for name, runs in outcomes.items() for run in runs if "failed" in run}
        for name, why in failed.items():
            report.said(f"{name} failed:\n{why}")
        sound = {name: [run for run in runs if "failed" not in run] for name, runs in outcomes.items()}
        figures = [self._figures(name, runs) for name, runs in sound.items() if runs]
        return {
            "shape": self.shape,
            "adapter": self.adapter,
            "steps": self.steps,
            "tokens": sum(self.material.lengths),
            "supervised_tokens": self.material.supervised,
            "heldout_loss_base": self.judge.kept(self.bench.folder / "base", None),
            **against_best(figures),
            "rows": {row["tool"]: row["rows_per_second"] for row in figures},
            "failed": failed,
            "tools": figures,
        }

    def _again(self, tool: Tool, outcomes: dict[str, list[dict[str, Any]]]) -> bool:
        first = {name: runs[0].get("rows_per_second", 0.0) for name, runs in outcomes.items()}
        fastest = max((rate for name, rate in first.items() if name != OURS), default=0.0)
        return tool.name == OURS or first[tool.name] > FAR * fastest

    def _outcome(self, tool: Tool, turn: int) -> dict[str, Any]:
        job = replace(self._job(tool), seed=turn)
        if tool.name == OURS:
            rows = self.bench.folder / f"ours-{turn}.jsonl"
            write_rows(rows, ours_first(self.material.train, turn))
            job = replace(job, rows=str(rows))
        outcome = self.bench.run(tool, job, str(turn + 1))
        if "failed" not in outcome:
            kept = self.bench.folder / f"{tool.name}-{turn + 1}"
            outcome["heldout_loss"] = self.judge.kept(kept, outcome["adapter"])
        return outcome

    def _job(self, tool: Tool) -> Job:
        """The job of a tool; what a tuned one takes at once is the fastest of a few, tried once."""
        given = self.given
        job = Job(
            tool=tool.name,
            model=str(self.material.model),
            rows=str(self.bench.folder / "rows.jsonl"),
            out="",
            steps=self.steps,
            batch=given.batch,
            micro=tool.micro if tool.micro and given.batch % tool.micro == 0 else given.batch,
            length=given.length,
            pack=given.length,
            learning_rate=given.learning_rate,
            r=given.r,
            targets=TARGETS[self.adapter],
            dtype=given.dtype,
            lengths=self.material.lengths,
        )
        if not tool.tuned:
            return job
        if tool.name not in self.chosen:
            self.chosen[tool.name] = self._fastest(tool, job)
        micro, pack = self.chosen[tool.name]
        return replace(job, micro=micro, pack=pack)

    def _fastest(self, tool: Tool, job: Job) -> tuple[int, int]:
        """Rows at once, and tokens of a pack, of the fastest of the trials."""
        if tool.packs:
            tried = [(job.micro, job.length * times) for times in self.given.packs]
        else:
            tried = [(micro, job.pack) for micro in self.given.micro if job.batch % micro == 0]
        if len(tried) < 2:
            return tried[0] if tried else (job.micro, job.pack)
        count = (TRIAL + 1) * job.batch
        rows = self.bench.folder / "trial.jsonl"
        write_rows(rows, self.material.train[:count])
        rates = []
        for micro, pack in tried:
            report.said(f"{self.shape} {self.adapter}, trial: {tool.name}, {micro} at once, packs of {pack}")
            short = replace(job, rows=str(rows), micro=micro, pack=pack, steps=TRIAL + 1, lengths=job.lengths[:count])
            rates.append(self.bench.run(tool, short, f"trial-{micro}-{pack}").get("rows_per_second", 0.0))
        return tried[rates.index(max(rates))]

    def _figures(self, tool: str, runs: list[dict[str, Any]]) -> dict[str, Any]:
        speed = report.median([run["rows_per_second"] for run in runs])
        losses = [run["heldout_loss"] for run in runs]
        return {
            "tool": tool,
            "rows_per_second": speed,
            "tokens_per_second": speed * sum(self.material.lengths) / len(self.material.train),
            "supervised_tokens_per_second": speed * self.material.supervised / len(self.material.train),
            "rows_per_cpu_second": report.median([run["rows_per_cpu_second"] for run in runs]),
            "first_step_s": report.median([run["first_step_s"] for run in runs]),
            "peak_mb": max(run["peak_gpu_mb"] or run["peak_mb"] for run in runs),
            "heldout_loss": report.median(losses),
            "heldout_spread": max(losses) - min(losses),
            "mfu": speed * self._flops(full_head=True) / self.rate,
            "floor_ratio": speed * self._flops(full_head=False) / self.rate,
            "micro": runs[0]["micro"],
            "rounds": len(runs),
            "runs": runs,
        }

    def _flops(self, *, full_head: bool) -> float:
        """Operations that a row needs at least."""
        material = self.material
        whole = least_flops(
            self.shape,
            lengths=material.lengths,
            supervised=material.supervised,
            r=self.given.r,
            targets=TARGETS[self.adapter],
            full_head=full_head,
        )
        return whole / len(material.train)


def against_best(figures: list[dict[str, Any]]) -> dict[str, Any]:
    """Ours beside the fastest peer."""
    ours = next((row for row in figures if row["tool"] == OURS), None)
    others = [row for row in figures if row["tool"] != OURS]
    if ours is None or not others:
        return {}
    best = max(others, key=lambda row: float(row["rows_per_second"]))
    return {
        "ratio_to_best_peer": ours["rows_per_second"] / best["rows_per_second"],
        "best_peer": best["tool"],
        "heldout_loss_ours": ours["heldout_loss"],
        "heldout_loss_best_peer": best["heldout_loss"],
        "memory_ratio": ours["peak_mb"] / best["peak_mb"],
        "mfu": ours["mfu"],
        "floor_ratio": ours["floor_ratio"],
        "first_step_s": ours["first_step_s"],
    }
