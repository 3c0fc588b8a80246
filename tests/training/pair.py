"""Several trainings in two processes that are started once: ``python -m tests.training.pair RANK FOLDER``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

JOBS = "jobs.json"


def together(folder: Path, base: Path, jobs: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Train each job in a store of its own, shared by two processes.

    Returns:
        By job: the lasting signals and the receipts.
    """
    (folder / JOBS).write_text(json.dumps({"base": str(base), "jobs": jobs}))
    environment = {**os.environ, "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "GLOO_SOCKET_IFNAME": "lo"}
    environment |= {"TUNELOOP_MEETING": str(folder / "meeting"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "tests.training.pair"]
    pair = [
        subprocess.Popen([*command, str(folder)], env=environment | {"RANK": str(rank), "LOCAL_RANK": str(rank)})
        for rank in (0, 1)
    ]
    try:
        while any(process.poll() is None for process in pair) and not any(process.poll() for process in pair):
            time.sleep(0.05)
    finally:
        for process in pair:
            process.kill()
            process.wait()
    assert [process.returncode for process in pair] == [0, 0]
    return {name: json.loads((folder / f"{name}.json").read_text()) for name in jobs}


def main(folder: Path) -> None:
    import torch
    from tests.training.conftest import lasting, make_bench, section_of

    from tuneloop.monitoring.progress import Silent
    from tuneloop.monitoring.section import MonitorSection
    from tuneloop.training.job import Job
    from tuneloop.training.processes.ranks import Ranks, joined
    from tuneloop.training.train import train_with

    torch.set_num_threads(1)
    told = json.loads((folder / JOBS).read_text())
    with joined() as ranks:
        for name, changes in told["jobs"].items():
            with ranks.first_goes_ahead():
                bench = make_bench(folder / name, Path(told["base"]))
            parts = (bench.task, bench.model, bench.base, bench.dataset, MonitorSection(), bench.store)
            fresh = Ranks(ranks.rank, ranks.count, ranks.backend)
            run, model = train_with(fresh, Job(section_of(**changes), *parts, 3, {"name": "tiny"}), Silent())
            if ranks.first:
                result = {
                    "lasting": lasting(run),
                    "facts": model.facts,
                    "receipts": json.loads((run.folder / "receipts.json").read_text()),
                }
                (folder / f"{name}.json").write_text(json.dumps(result))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
