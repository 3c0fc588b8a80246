"""Processes: trials are trained by processes of this machine, each with its share of the cores."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from typing import final

import msgspec

from tuneloop.tuning.runners import Crew, Place, Runner
from tuneloop.tuning.trials import Order, Outcome

GRACE = 20.0
"""Seconds that a worker has to save the state of its trial."""
LOCK = "workers.lock"
"""Held by every worker as long as it lives, so that a search that goes on waits for the workers of a killed one."""


@final
class Processes(Runner):
    """Trains trials in processes that live as long as the search; what kills one of them costs only its trial.

    Each has an equal share of the processor's cores, and takes its turn of the GPUs where there are several.
    """

    @contextmanager
    def open(self, place: Place) -> Iterator[Crew]:
        """Start no worker before there is an order for it; in the end, ask all to save and leave."""
        crew = _Processes(place)
        try:
            yield crew
        finally:
            crew.close()


class _Worker:
    """One process, and the order that it is at."""

    def __init__(self, number: int, place: Place) -> None:
        self.number = number
        self.log = place.folder / f"worker-{number}.log"
        self.order: Order | None = None
        name = f"{place.score.__module__}:{place.score.__qualname__}"
        with self.log.open("wb") as said:
            self.process = subprocess.Popen(  # noqa: S603 - our own module, and a function of ours
                [sys.executable, "-P", "-m", "tuneloop.tuning.worker", name, str(place.folder / LOCK)],
                env=_environment(number, place.workers),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=said,
                start_new_session=True,  # Ctrl-C goes to the search alone, which lets the workers save
            )

    def give(self, order: Order) -> None:
        self.order = order
        if self.process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):  # it died, which take() will see
                self.process.stdin.write(msgspec.json.encode(order) + b"\n")
                self.process.stdin.flush()

    def take(self, order: Order) -> Outcome:
        """Read its answer; that of a worker which died is a failure."""
        line = self.process.stdout.readline() if self.process.stdout is not None else b""
        self.order = None
        if line:
            return msgspec.json.decode(line, type=Outcome)
        code = self.process.wait()
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"
        said = self.log.read_text(encoding="utf-8", errors="replace").strip().rpartition("\n")[2]
        return Outcome(order.trial, order.share, failure=f"its process {how}" + (f": {said[-300:]}" if said else ""))

    def close(self) -> None:
        """Let it go: an empty pipe tells it to save and leave."""
        if self.process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self.process.stdin.close()

    def end(self) -> None:
        """See that it is gone."""
        try:
            self.process.wait(GRACE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()


class _Processes:
    """The workers; one that died makes way for another."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._workers: list[_Worker] = []
        self._numbers = cycle(range(place.workers))
        wait_for_others(place.folder / LOCK)

    def give(self, order: Order) -> None:
        free = next((worker for worker in self._workers if worker.order is None), None)
        if free is None:
            taken = {worker.number for worker in self._workers}
            free = _Worker(min(set(range(self._place.workers)) - taken), self._place)
            self._workers.append(free)
        free.give(order)

    def take(self) -> Outcome:
        with selectors.DefaultSelector() as pipes:
            for worker in self._workers:
                if worker.order is not None and worker.process.stdout is not None:
                    pipes.register(worker.process.stdout, selectors.EVENT_READ, worker)
            worker = pipes.select()[0][0].data
        outcome: Outcome = worker.take(worker.order)
        if worker.process.poll() is not None:
            self._workers.remove(worker)
            worker.close()
            worker.end()
        return outcome

    def close(self) -> None:
        for worker in self._workers:
            worker.close()
        for worker in self._workers:
            worker.end()


def wait_for_others(lock: Path) -> None:
    """Wait until no worker of a search that was killed is left."""
    import fcntl

    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    finally:
        os.close(descriptor)


def _environment(number: int, workers: int) -> dict[str, str]:
    """The environment of a worker: its share of cores, and its turn of the GPUs."""
    given = {"OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 1) // workers)), "OMP_WAIT_POLICY": "passive"}
    given |= {"TOKENIZERS_PARALLELISM": "false", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    gpus = _gpus()
    turn = {"CUDA_VISIBLE_DEVICES": gpus[number % len(gpus)]} if len(gpus) > 1 and workers > 1 else {}
    return {**given, **os.environ, **turn}


def _gpus() -> list[str]:
    """The GPUs of this machine, as ``CUDA_VISIBLE_DEVICES`` names them."""
    if "CUDA_VISIBLE_DEVICES" in os.environ:
        return [name for name in os.environ["CUDA_VISIBLE_DEVICES"].split(",") if name]
    found = Path("/proc/driver/nvidia/gpus")
    return [str(number) for number, _ in enumerate(found.iterdir())] if found.is_dir() else []
