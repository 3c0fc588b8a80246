"""The trainers that are compared, and how one of them is run: in a fresh process, with its outcome kept on disk."""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bench import peers
from bench.drivers.job import Job

ROOT = Path(__file__).parents[1]
OURS = "tuneloop"


@dataclass(frozen=True)
class Tool:
    """One way to train.

    Attributes:
        name: What it is called.
        driver: Module of ``bench.drivers`` that runs it.
        about: What it is.
        peer: The environment that it needs, a key of ``bench.peers.PEERS``; None for the one that runs the benchmark.
        micro: Rows that go through the model at once, as its documentation has it; 0 leaves that to the tool.
        tuned: Brought to its best: the number of rows at once, or the length of its packs, is tried out.
        packs: It packs rows.
        gpu: Needs a GPU.
        quick: Part of the quick form; what is left out there has a faster form of the same tool in it.
    """

    name: str
    driver: str
    about: str
    peer: str | None = None
    micro: int = 8
    tuned: bool = False
    packs: bool = False
    gpu: bool = False
    quick: bool = True


TOOLS = {
    tool.name: tool
    for tool in (
        Tool(OURS, "ours", "tuneloop, defaults", micro=0),
        Tool("padded", "trainer", "Hugging Face Trainer, padded to --length, loss on all tokens"),
        Tool("dynamic", "trainer", "Hugging Face Trainer, dynamic padding, loss on answers", tuned=True),
        Tool("trl", "sft", "TRL SFTTrainer, defaults", "trl"),
        Tool("trl-tuned", "sft", "TRL, loss on answers, no checkpointing", "trl", tuned=True),
        Tool("trl-packed", "sft", "TRL, the same and packed (bfd)", "trl", tuned=True, packs=True),
        Tool("trl-liger", "sft", "TRL, packed, Liger's kernels", "trl", packs=True, gpu=True),
        Tool("llamafactory", "llamafactory", "LLaMA-Factory, its example", "llamafactory", micro=1, quick=False),
        Tool("llamafactory-tuned", "llamafactory", "LLaMA-Factory, no checkpointing", "llamafactory", tuned=True),
        Tool(
            "llamafactory-packed",
            "llamafactory",
            "LLaMA-Factory, the same and neat_packing",
            "llamafactory",
            tuned=True,
            packs=True,
        ),
        Tool("litgpt", "litgpt", "LitGPT, defaults", "litgpt", micro=1, quick=False),
        Tool("litgpt-tuned", "litgpt", "LitGPT, loss on answers", "litgpt", tuned=True),
        Tool("unsloth", "unsloth", "Unsloth, as in its notebooks", "unsloth", micro=2, quick=False),
        Tool(
            "unsloth-tuned",
            "unsloth",
            "Unsloth, loss on answers, no checkpointing",
            "unsloth",
            tuned=True,
            quick=False,
        ),
        Tool("unsloth-compiled", "unsloth", "Unsloth, the same and compiled", "unsloth", tuned=True),
    )
}
PREPARED = {"litgpt"}
"""Drivers that bring the model into a form of their own first."""


NEEDS = {
    "ours": ("tuneloop",),
    "exact": ("tuneloop",),
    "trainer": ("accelerate",),
    "sft": ("trl", "datasets"),
    "unsloth": ("unsloth", "trl"),
    "trl-liger": ("trl", "datasets", "liger_kernel"),
}
"""Packages that a tool or a driver needs where no environment of its own is made."""


def importable(tool: Tool) -> bool:
    """Whether this environment has what a tool needs."""
    needed = NEEDS.get(tool.name) or NEEDS.get(tool.driver)
    return needed is not None and all(find_spec(name) is not None for name in needed)


@dataclass(frozen=True)
class Bench:
    """Where and how the tools are run.

    Attributes:
        folder: Folder for everything that they write; an outcome that is there is not measured again.
        peers: Folder of the peers' environments.
        threads: Threads of each process.
        here: Take this environment for every tool (a machine where nothing can be installed).
        device: ``cpu`` hides the GPUs there are; ``cuda`` takes the first one.
        limit: Seconds after which a tool is given up.
        ends: When no further tool is begun, as ``time.monotonic`` counts.
    """

    folder: Path
    peers: Path
    threads: int
    here: bool = False
    device: str = "cpu"
    limit: float = 3600.0
    ends: float = math.inf

    def python(self, tool: Tool) -> Path | None:
        """The interpreter of a tool; None where its environment was not made."""
        if self.here:
            return Path(sys.executable) if importable(tool) else None
        if tool.peer is None:
            return Path(sys.executable)
        return peers.python_of(self.peers, tool.peer)

    def run(self, tool: Tool, job: Job, turn: str) -> dict[str, Any]:
        """Run one tool in a fresh process, or take what it did before.

        Args:
            tool: The tool.
            job: What it trains; ``tool`` and ``out`` are set here.
            turn: Name of this time.

        Returns:
            Its outcome; with ``failed`` and the end of what it said where there is none.
        """
        out = self.folder / f"{tool.name}-{turn}"
        kept = out / "outcome.json"
        if not kept.exists():
            shutil.rmtree(out, ignore_errors=True)  # begun and interrupted, or failed
            out.mkdir(parents=True)
            said = self._launch(tool, replace(job, tool=tool.name, out=str(out)), out)
            if not kept.exists():
                return {"failed": said[-3000:]}
        outcome: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8"))
        return outcome

    def _launch(self, tool: Tool, job: Job, out: Path) -> str:
        """What the tool said on its way."""
        python = self.python(tool)
        if time.monotonic() > self.ends:
            return "no time is left"
        if python is None:
            return f"no environment of {tool.peer}: run python -m bench.peers"
        module = [str(python), "-m", f"bench.drivers.{tool.driver}"]
        file = out / "job.json"
        try:
            if tool.driver in PREPARED:
                job.write(file)
                self._process([*module, "--prepare", str(file)])
            replace(job, began=time.time()).write(file)
            return self._process([*module, str(file)])
        except subprocess.CalledProcessError as error:
            return str(error.stdout)
        except subprocess.TimeoutExpired:
            return "given up: it took too long"

    def _process(self, argv: list[str]) -> str:
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH")))),
            "OMP_NUM_THREADS": str(self.threads),
            "OMP_WAIT_POLICY": "passive",
            "HF_HUB_OFFLINE": "1",
            "TOKENIZERS_PARALLELISM": "false",
        }
        if self.device == "cpu":
            environment["CUDA_VISIBLE_DEVICES"] = ""
        done = subprocess.run(
            argv,
            env=environment,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=min(self.limit, self.ends - time.monotonic()),
            check=True,
        )
        return done.stdout
