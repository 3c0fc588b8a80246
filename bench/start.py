"""How long it takes until something happens: commands, imports, and the first training step, each in a fresh process.

python -m bench.start --json start.json
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from bench import report

FIRST_STEP = """
import sys, time
from pathlib import Path
import tuneloop
from tuneloop import embedded

class Clock:
    def start(self, what, total=None): pass
    def note(self, text): pass
    def advance(self, done, figures=None):
        if figures and "train/loss" in figures:
            print(time.time(), flush=True)

recipe = tuneloop.load(embedded.recipe(), ["train.max_steps=1"])
tuneloop.train(recipe, tuneloop.Store(Path(sys.argv[1])), Clock())
"""

COMMANDS = {
    "tuneloop --help": [sys.executable, "-m", "tuneloop", "--help"],
    "tuneloop train --help": [sys.executable, "-m", "tuneloop", "train", "--help"],
    "import tuneloop": [sys.executable, "-c", "import tuneloop"],
    "python, empty": [sys.executable, "-c", "pass"],
    "import torch": [sys.executable, "-c", "import torch"],
    "from transformers import Trainer": [sys.executable, "-c", "from transformers import Trainer"],
    "from peft import LoraConfig": [sys.executable, "-c", "from peft import LoraConfig"],
}


def command_seconds(argv: list[str]) -> float:
    """Seconds from starting a process to its end.

    Raises:
        subprocess.CalledProcessError: It failed.
    """
    began = time.perf_counter()
    subprocess.run(argv, check=True, capture_output=True, env=_environment())
    return time.perf_counter() - began


def first_step_seconds() -> float:
    """Seconds from starting a process to the end of its first training step: the embedded base and rows, empty store.

    Raises:
        subprocess.CalledProcessError: It failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        began = time.time()
        argv = [sys.executable, "-c", FIRST_STEP, str(Path(folder) / "store")]
        done = subprocess.run(argv, check=True, capture_output=True, text=True, env=_environment())
    return float(done.stdout.split()[0]) - began


def _environment() -> dict[str, str]:
    return {**os.environ, "HF_HUB_OFFLINE": "1"}


def main(arguments: list[str] | None = None) -> None:
    """Measure, print, write."""
    parser = report.options("How long commands, imports and the first training step take.")
    parser.add_argument("--rounds", type=int, default=None, help="repetitions of each; 3 with --quick, else 7")
    given = parser.parse_args(arguments)
    where = report.machine()
    what: dict[str, Callable[[], float]] = {name: partial(command_seconds, argv) for name, argv in COMMANDS.items()}
    what["first training step, embedded base"] = first_step_seconds
    seconds = report.interleaved(what, given.rounds or (3 if given.quick else 7))
    rows = [
        {"what": name, "median s": report.median(times), "fastest s": min(times), "slowest s": max(times)}
        for name, times in seconds.items()
    ]
    report.show("time to start, fresh processes", rows)
    report.write(given.json, "start", {"seconds": seconds, "rows": rows}, where)


if __name__ == "__main__":
    main()
