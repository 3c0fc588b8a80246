"""Launch: start the processes of a training on this machine, watch them, and let none of them outlive the others.

The process that was asked for the training only watches. It starts one worker for each device, with a pipe to it and
one from it: a worker leaves at once when the pipe to it is closed, so none stays behind whatever happens to the
watcher. What rank 0 shows comes back through its pipe. The workers find each other through a file and talk over the
loopback, so no port is opened to anybody else, and none can be taken.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from tuneloop.errors import TrainingError
from tuneloop.monitoring.progress import Progress
from tuneloop.store import Model, Run
from tuneloop.training.interrupt import Asked, listening
from tuneloop.training.job import Job
from tuneloop.training.processes.ranks import MEETING, Lost, enough_devices
from tuneloop.training.processes.told import Told, error_of, pass_on

GRACE = 5.0
"""Seconds that the other processes have to say why they end, once one of them has ended badly."""
GLANCE = 0.1
"""Seconds between looks at whether somebody asked to stop and whether a process has ended."""


class _Worker:
    """One process of the training, and what it has told."""

    def __init__(self, rank: int, process: subprocess.Popen[bytes], log: Path) -> None:
        self.rank, self.process, self.log = rank, process, log
        self.why: Told | None = None
        self.made: dict[str, str] = {}
        self._rest = b""

    def hear(self, progress: Progress) -> bool:
        """Take what it has told since; False once its pipe is closed."""
        if self.process.stdout is None:
            return False
        data = os.read(self.process.stdout.fileno(), 1 << 16)
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            told = msgspec.json.decode(line, type=Told)
            if told.kind in ("error", "fault"):
                self.why = told
            elif told.kind == "done":
                self.made = told.made
            else:
                pass_on(told, progress)
        return bool(data)


def launch(job: Job, progress: Progress) -> tuple[Run, Model]:
    """Carry out a job with as many processes as its ``train.devices`` says.

    Args:
        job: What is asked for.
        progress: Shows what rank 0 tells.

    Raises:
        TuneloopError: What one of the processes raised.
        TrainingError: A process was ended from outside, or there are too few devices.
        Stopped: SIGTERM or Ctrl-C; the state is saved.
    """
    enough_devices(job.train.devices)
    with listening() as asked:
        with _workers(job) as workers:
            died = _watch(workers, asked, progress)
        if died:
            _explain(workers, died, asked)
    made = workers[0].made
    return job.store.get(Run, made["run"]), job.store.get(Model, made["model"])


@contextmanager
def _workers(job: Job) -> Iterator[list[_Worker]]:
    """The processes, at work; inside and after, none is left."""
    count = job.train.devices
    logs = job.store.root / "work" / job.key[:20]
    logs.mkdir(parents=True, exist_ok=True)
    workers: list[_Worker] = []
    with tempfile.TemporaryDirectory(prefix="tuneloop-") as folder:
        try:
            for rank in range(count):
                workers.append(_start(rank, count, Path(folder) / "meeting", logs / f"process-{rank}.log"))
            _give(workers[0], job)
            yield workers
        finally:
            for worker in workers:
                worker.process.kill()
            for worker in workers:
                worker.process.wait()
                for pipe in (worker.process.stdin, worker.process.stdout):
                    if pipe is not None:
                        with contextlib.suppress(BrokenPipeError):
                            pipe.close()


def _start(rank: int, count: int, meeting: Path, log: Path) -> _Worker:
    environment = {
        "OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 1) // count)),
        "OMP_WAIT_POLICY": "passive",
        "TOKENIZERS_PARALLELISM": "false",
        "GLOO_SOCKET_IFNAME": _loopback(),
        "NCCL_SOCKET_IFNAME": _loopback(),
        **os.environ,
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(count),
        "LOCAL_WORLD_SIZE": str(count),
        MEETING: str(meeting),
    }
    with log.open("wb") as said:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "tuneloop.training.processes.worker"],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=said,
            start_new_session=True,  # Ctrl-C goes to the watcher alone, which passes it on
        )
    return _Worker(rank, process, log)


def _give(worker: _Worker, job: Job) -> None:
    if worker.process.stdin is not None:
        with contextlib.suppress(BrokenPipeError):  # it died at once, which the watch will see
            worker.process.stdin.write(job.to_json() + b"\n")
            worker.process.stdin.flush()


def _watch(workers: list[_Worker], asked: Asked, progress: Progress) -> dict[int, int]:
    """Pass on what the workers tell until all have ended, or one has ended badly and the others had time to say why.

    Returns:
        How those ended that ended badly, by rank; empty if all is well.
    """
    passed = False
    until = float("inf")
    with selectors.DefaultSelector() as pipes:
        for worker in workers:
            if worker.process.stdout is not None:
                pipes.register(worker.process.stdout, selectors.EVENT_READ, worker)
        while time.monotonic() < until:
            heard = pipes.select(GLANCE)
            for key, _ in heard:
                if not key.data.hear(progress):
                    pipes.unregister(key.fileobj)
            if asked.signal and not passed:
                passed = True
                workers[0].process.send_signal(asked.signal)  # its stop becomes everybody's
            codes = [worker.process.poll() for worker in workers]
            if any(codes):
                until = min(until, time.monotonic() + GRACE)
            if all(code is not None for code in codes) and not heard:
                break
            if not pipes.get_map():
                time.sleep(GLANCE)
    return {worker.rank: code for worker in workers if (code := worker.process.poll())}


def _explain(workers: list[_Worker], died: dict[int, int], asked: Asked) -> None:
    """Raise what best says why the training ended."""
    whys = [worker.why for worker in workers if worker.why is not None]
    for why in whys:
        if why.kind == "error" and why.text != Lost.__name__:
            raise error_of(why)
    if asked.signal and -asked.signal in died.values():
        signal.signal(asked.signal, signal.SIG_DFL if asked.signal == signal.SIGTERM else signal.default_int_handler)
        signal.raise_signal(asked.signal)
    killed = {rank: code for rank, code in died.items() if code < 0 and code != -signal.SIGABRT}
    faults = [why.text for why in whys if why.kind == "fault"]
    if faults and not killed:  # one that was killed explains what the others then met
        raise RuntimeError(f"a process of the training failed:\n{faults[0]}")
    rank, code = next(iter((killed or died).items()))
    how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"
    raise TrainingError(
        f"process {rank} of {len(workers)} {how}; the last checkpoint is kept",
        where=str(workers[rank].log),
        fix="run the same command again: it goes on from there (SIGKILL out of nowhere is often a lack of memory)",
    )


def _loopback() -> str:
    return "lo0" if sys.platform == "darwin" else "lo"
