"""What kills, damaged files and failing disks do to a training: nothing may be lost, nothing may differ.

python -m bench.faults --quick --json faults.json    # 10 kills, 200 corruptions
python -m bench.faults --json faults.json            # 100 kills, 1,000 corruptions
python -m bench.faults --peer --json faults.json     # the kills for the Hugging Face Trainer, too
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import report
from bench.harm import call_kills, corruptions, disk_faults

ROOT = Path(__file__).parents[1]
EARLY = 0.2
"""Share of the kills that meet a training before its first step, while it opens its folder again."""
OURS, PEER = "bench.victim", "bench.victim_peer"


@dataclass
class Kills:
    """What random kills did.

    Attributes:
        kills: SIGKILLs that met a running training.
        runs: Interrupted runs that were brought to their end.
        unresumable: Runs that could not go on after a kill.
        not_identical: Runs that ended with another adapter, or with other figures at any step.
        early: Kills that met the process before its first step.
        while_saving: Kills that met the process with a checkpoint half written.
        from_the_start: Resumes that found no checkpoint yet.
        problems: What went wrong.
    """

    kills: int = 0
    runs: int = 0
    unresumable: int = 0
    not_identical: int = 0
    early: int = 0
    while_saving: int = 0
    from_the_start: int = 0
    problems: list[str] = field(default_factory=list)


def start(folder: Path, steps: int, victim: str) -> subprocess.Popen[str]:
    """Start the training in a fresh process, or let it go on."""
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "PYTHONPATH": path}
    argv = [sys.executable, "-m", victim, str(folder), str(steps)]
    return subprocess.Popen(
        argv, env=environment, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace"
    )


def undisturbed(folder: Path, steps: int, victim: str) -> tuple[str, float, float]:
    """The training that nothing meets.

    Returns:
        Its last line, the seconds to its first step, and those from there to its end.
    """
    started, began, last = time.perf_counter(), 0.0, ""
    process = start(folder, steps, victim)
    if process.stdout is None:
        raise RuntimeError("no pipe to the training")
    for line in process.stdout:
        began = began or (time.perf_counter() if line.startswith("step") else 0.0)
        last = line
    ended = time.perf_counter()
    if process.wait():
        raise RuntimeError(process.stderr.read() if process.stderr else "the training failed")
    return last, began - started, ended - began


def kill_once(folder: Path, steps: int, wait: float, found: Kills, victim: str, *, early: bool = False) -> str | None:
    """Let the training go on, and kill it a while after its first step.

    Args:
        folder: Its folder.
        steps: Optimizer steps of the whole training.
        wait: Seconds until the kill.
        found: Counts what happens.
        victim: Module that trains.
        early: Count the seconds from the start of the process: the kill meets it while it comes back.

    Returns:
        Its last line if it ended before the kill or failed; None if it was killed.
    """
    process = start(folder, steps, victim)
    if process.stdout is None:
        raise RuntimeError("no pipe to the training")
    first = ""
    if not early:
        for first in process.stdout:
            if first.startswith(("step", "done")):
                break
    deadline = time.perf_counter() + wait
    while (early or first.startswith("step")) and process.poll() is None and time.perf_counter() < deadline:
        time.sleep(0.002)
    running = process.poll() is None and (early or first.startswith("step"))
    process.kill()
    rest, errors = process.communicate()
    last = (first + rest).strip().splitlines()[-1:] or [""]
    if last[0].startswith("done"):
        return last[0] + "\n"
    if running:
        found.kills += 1
        found.early += early
        saved = [*folder.glob("work/*/checkpoints/step-*"), *folder.glob("checkpoint-*")]
        found.while_saving += any(folder.glob("work/*/checkpoints/draft"))
        found.from_the_start += not saved
        return None
    found.problems.append(errors[-2000:])
    return ""


def random_kills(folder: Path, count: int, steps: int, seed: int, victim: str = OURS) -> Kills:
    """Kill a training at random moments until it is done; begin another; compare each with the undisturbed one.

    Args:
        folder: An empty folder.
        count: Kills in all.
        steps: Optimizer steps of a training.
        seed: Decides the moments.
        victim: Module that trains.
    """
    draw = random.Random(seed)
    expected, came_up, spent = undisturbed(folder / "whole", steps, victim)
    found = Kills()
    while found.kills < count:
        found.runs += 1
        run = folder / f"run-{found.runs}"
        last = None
        while last is None:
            if found.kills >= count:
                last = kill_once(run, steps, 600.0, found, victim)
            elif draw.random() < EARLY:
                last = kill_once(run, steps, draw.uniform(0.0, came_up), found, victim, early=True)
            else:
                last = kill_once(run, steps, draw.uniform(0.0, spent / 2), found, victim)
        if not last.startswith("done"):
            found.unresumable += 1
        elif last != expected:
            found.not_identical += 1
            found.problems.append(_difference(expected, last))
        report.said(f"{found.kills} kills, {found.runs} runs, {found.unresumable + found.not_identical} wrong")
    return found


def _difference(expected: str, last: str) -> str:
    (adapter, signals), (other, others) = (json.loads(line.removeprefix("done ")) for line in (expected, last))
    at = next((a for a, b in zip(signals, others, strict=False) if a != b), "the number of figures")
    return f"adapter {'same' if adapter == other else 'differs'}, first figure that differs: {at}"


def main(arguments: list[str] | None = None) -> None:
    """Measure, print, write; exit with 1 if anything was lost."""
    parser = report.options("Kills, damaged checkpoints and failing disks.")
    parser.add_argument("--kills", type=int, default=None, help="10 with --quick, else 100")
    parser.add_argument("--corruptions", type=int, default=None, help="200 with --quick, else 1000")
    parser.add_argument("--steps", type=int, default=60, help="optimizer steps of a training that is killed")
    parser.add_argument("--seed", type=int, default=0, help="decides the moments and the damage")
    parser.add_argument("--peer", action="store_true", help="kill the Hugging Face Trainer as often, too")
    given = parser.parse_args(arguments)
    where = report.machine()
    began = time.perf_counter()
    kills = given.kills if given.kills is not None else (10 if given.quick else 100)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        figures: dict[str, Any] = {}
        figures |= corruptions(folder / "damage", given.corruptions or (200 if given.quick else 1000), given.seed)
        figures |= disk_faults(folder / "disk")
        figures |= call_kills(folder / "calls")
        figures |= vars(random_kills(folder / "kills", kills, given.steps, given.seed))
        if given.peer:
            figures["peer"] = vars(random_kills(folder / "peer", kills, given.steps, given.seed, PEER))
    figures["seconds"] = time.perf_counter() - began
    rows = table(figures)
    report.show("harm to a training", rows + (table(figures["peer"], "Hugging Face Trainer: ") if given.peer else []))
    for problem in [*figures["problems"], *figures["missed"], *figures["wrong"], *figures["lost"]]:
        report.said(f"wrong: {problem}")
    report.write(given.json, "faults", figures, where)
    if any(row["wrong"] for row in rows):
        raise SystemExit(1)


def table(figures: dict[str, Any], whose: str = "") -> list[dict[str, Any]]:
    """The lines of the table: what was done, how often, and how often something was lost by it."""
    lines = [
        ("random SIGKILL", "kills", "unresumable", "unresumable"),
        ("the same, runs", "runs", "not_identical", "not identical"),
        ("SIGKILL at each call of a save", "call_kills", "call_kills_lost", "state lost"),
        ("damaged checkpoint", "corruptions", "undetected", "undetected"),
        ("failing disk", "disk_faults", "not_intact", "not intact"),
    ]
    return [
        {"harm": whose + harm, "times": figures[times], "wrong": figures[wrong], "means": means}
        for harm, times, wrong, means in lines
        if times in figures
    ]


if __name__ == "__main__":
    main()
