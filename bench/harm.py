"""Checkpoints under harm: damaged files, failing disks, and a kill at every call of saving."""

from __future__ import annotations

import errno
import os
import random
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from bench.disk import Disk, failing, watched
from tuneloop.errors import StoreError
from tuneloop.monitoring.progress import Silent
from tuneloop.training.checkpoints import Checkpoints
from tuneloop.training.state import State

ERRORS = {"ENOSPC": errno.ENOSPC, "EIO": errno.EIO, "EACCES": errno.EACCES}


class Subject:
    """A small model with its optimizer that makes steps and saves them.

    Args:
        folder: Where its checkpoints are.
        limit: How many are kept.
    """

    def __init__(self, folder: Path, limit: int = 2) -> None:
        torch.manual_seed(0)
        self.model = torch.nn.Sequential(torch.nn.Linear(24, 32), torch.nn.Tanh(), torch.nn.Linear(32, 8))
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-2)
        self.state = State()
        self.checkpoints = Checkpoints(
            folder, model=self.model, optimizer=self.optimizer, scaler=None, limit=limit, progress=Silent()
        )

    def step(self) -> None:
        """Two optimizer steps on random rows."""
        for _ in range(2):
            self.optimizer.zero_grad()
            loss = self.model(torch.randn(16, 24)).square().mean()
            torch.autograd.backward(loss)
            self.optimizer.step()
            self.state.went(rows=16, tokens=16, learned=16, rate=1e-2, of=1000)

    def save(self) -> None:
        """Save the state."""
        self.checkpoints.save(self.state)

    def everything(self) -> tuple[Any, ...]:
        """Weights, optimizer, step and generator: what a resume must bring back bit for bit."""
        states = [self.optimizer.state[weight] for weight in self.model.parameters()]
        moments = [state[name] for state in states for name in sorted(state)]
        tensors = [*self.model.state_dict().values(), *moments, torch.get_rng_state()]
        return (self.state.step, *(bytes(tensor.detach().contiguous().numpy().tobytes()) for tensor in tensors))


def prepared(folder: Path) -> tuple[Subject, dict[int, tuple[Any, ...]]]:
    """A subject with three saves behind it (the first rotated away), and what it was at each."""
    subject = Subject(folder)
    was = {}
    for _ in range(3):
        subject.step()
        subject.save()
        was[subject.state.step] = subject.everything()
    return subject, was


def resumed(folder: Path) -> tuple[Any, ...] | None:
    """What a fresh subject is after it resumed from a folder; None where it found nothing."""
    subject = Subject(folder)
    state = subject.checkpoints.resume()
    if state is None:
        return None
    subject.state = state
    return subject.everything()


# --- damaged files ---------------------------------------------------------------------------------


def bit_flip(checkpoint: Path, draw: random.Random) -> str:
    """One bit of one file."""
    path = _file(checkpoint, draw)
    data = bytearray(path.read_bytes())
    at = draw.randrange(len(data))
    data[at] ^= 1 << draw.randrange(8)
    path.write_bytes(data)
    return f"bit of {path.name}:{at}"


def truncation(checkpoint: Path, draw: random.Random) -> str:
    """The end of one file is gone."""
    path = _file(checkpoint, draw)
    size = draw.randrange(path.stat().st_size)
    os.truncate(path, size)
    return f"{path.name} cut to {size}"


def swap(checkpoint: Path, draw: random.Random) -> str:
    """Two files of the checkpoint change places, or one changes places with the same file of the older checkpoint."""
    path = _file(checkpoint, draw)
    older = min(checkpoint.parent.glob("step-*")) / path.name
    other = draw.choice([older, *(f for f in sorted(checkpoint.iterdir()) if f != path)])
    one, two = path.read_bytes(), other.read_bytes()
    if one == two:
        return swap(checkpoint, draw)
    path.write_bytes(two)
    if other != older:
        other.write_bytes(one)
    return f"{path.name} is {other.parent.name}/{other.name}"


def deletion(checkpoint: Path, draw: random.Random) -> str:
    """One file is gone."""
    path = _file(checkpoint, draw)
    path.unlink()
    return f"{path.name} deleted"


def renaming(checkpoint: Path, draw: random.Random) -> str:  # noqa: ARG001
    """The newest and the older checkpoint change names: each is whole, but not what its name says."""
    older = min(checkpoint.parent.glob("step-*"))
    spare = checkpoint.with_name("spare")
    checkpoint.rename(spare)
    older.rename(checkpoint)
    spare.rename(older)
    return f"{checkpoint.name} and {older.name} renamed"


KINDS: dict[str, Callable[[Path, random.Random], str]] = {
    kind.__name__: kind for kind in (bit_flip, truncation, swap, deletion, renaming)
}


def corruptions(folder: Path, count: int, seed: int) -> dict[str, Any]:
    """Damage the newest checkpoint again and again, and see what a resume makes of it.

    Found means: the resume passes the damaged checkpoint over and comes back bit for bit as the older one.

    Args:
        folder: An empty folder.
        count: How often.
        seed: Decides what is damaged.

    Returns:
        ``corruptions``, ``undetected``, how many of each kind, and what was not found.
    """
    draw = random.Random(seed)
    subject, was = prepared(folder / "whole")
    newest, kinds = subject.checkpoints.at(6).name, list(KINDS)
    counted = dict.fromkeys(kinds, 0)
    missed = []
    for number in range(count):
        kind = kinds[number % len(kinds)]
        counted[kind] += 1
        trial = folder / "trial"
        shutil.copytree(folder / "whole", trial)
        what = KINDS[kind](trial / newest, draw)
        # Checkpoints that changed names are both whole, but neither may be taken for what its name says.
        right = None if kind == "renaming" else was[4]
        if resumed(trial) != right:
            missed.append(what)
        shutil.rmtree(trial)
    return {"corruptions": count, "undetected": len(missed), "kinds": counted, "missed": missed}


def _file(checkpoint: Path, draw: random.Random) -> Path:
    return draw.choice([path for path in sorted(checkpoint.iterdir()) if path.stat().st_size])


# --- failing disks and kills at every call ---------------------------------------------------------


def calls_of_a_save(folder: Path) -> list[str]:
    """The writing calls of one save and rotation, in order."""
    subject, _ = prepared(folder)
    subject.step()
    with watched(Disk(None, lasting=False, act=lambda: None)) as disk:
        subject.save()
    return disk.seen


def disk_faults(folder: Path) -> dict[str, Any]:
    """Make every writing call of a save fail, once and for good, with each error.

    Sound means: what is raised is a ``StoreError`` that names a fix (or nothing, where the call did not matter), a
    fresh resume comes back bit for bit as the last whole save, and the next save on a mended disk works.

    Returns:
        ``disk_faults``, ``not_intact`` and what went wrong.
    """
    calls = calls_of_a_save(folder / "count")
    wrong = []
    trials = [(at, name, lasting) for at in range(len(calls)) for name in ERRORS for lasting in (False, True)]
    for at, name, lasting in trials:
        trial = folder / "trial"
        found = _disk_fault(trial, Disk(at, lasting=lasting, act=failing(ERRORS[name])))
        if found:
            wrong.append(f"{name} at {calls[at]} ({at}){' for good' if lasting else ''}: {found}")
        shutil.rmtree(trial)
    return {"disk_faults": len(trials), "not_intact": len(wrong), "calls": calls, "wrong": wrong}


def _disk_fault(folder: Path, disk: Disk) -> str:
    """What is wrong after one fault; empty if nothing is."""
    subject, was = prepared(folder)
    subject.step()
    now = subject.everything()
    raised: Exception | None = None
    with watched(disk):
        try:
            subject.save()
        except (StoreError, OSError, SafetensorError) as error:
            raised = error
    copied = folder.with_name("copied")
    shutil.copytree(folder, copied)
    subject.save()  # before any resume, which sets the random generators
    back = resumed(copied)
    shutil.rmtree(copied)
    if back not in (was[6], now):
        return "the checkpoint before is not what comes back"
    if resumed(folder) != now:
        return "the next save on a mended disk did not work"
    if raised is None:
        return "" if back == now else "nothing was raised, and nothing was saved"
    if not isinstance(raised, StoreError):
        return f"intact, but a bare {type(raised).__name__} without a fix: {raised}"
    return "" if raised.problems[0].fix else "intact, but the error names no fix"


def call_kills(folder: Path) -> dict[str, Any]:
    """Kill a process (SIGKILL) before every writing call of a save and rotation, and resume in another.

    Returns:
        ``call_kills``, ``call_kills_lost`` and the calls at which something was lost.
    """
    calls = calls_of_a_save(folder / "count")
    lost = []
    for at in range(len(calls)):
        trial = folder / "trial"
        subject, was = prepared(trial)
        subject.step()
        now = subject.everything()
        child = os.fork()
        if child == 0:
            with watched(Disk(at, lasting=False, act=lambda: os.kill(os.getpid(), signal.SIGKILL))):
                subject.save()
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status) or resumed(trial) not in (was[6], now):
            lost.append(f"{calls[at]} ({at})")
        shutil.rmtree(trial)
    return {"call_kills": len(calls), "call_kills_lost": len(lost), "lost": lost}
