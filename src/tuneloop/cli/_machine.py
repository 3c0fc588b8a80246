"""The machine: what ``tuneloop doctor`` looks at, each with a verdict and a way to mend it."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from tuneloop.cli._screen import size

TESTED = {"torch": "2.13", "transformers": "5.23", "peft": "0.21", "pydantic": "2.14", "tokenizers": "0.23"}
"""The newest versions that tuneloop's own tests have run with."""
ROOM = 2 * 1024**3
"""Free bytes below which a first download or a few checkpoints can fill the disk."""


@dataclass(frozen=True)
class Look:
    """One thing that was looked at: ``good``, ``slow`` (works, at a price), ``bad`` (will fail) or a ``note``."""

    name: str
    verdict: Literal["good", "slow", "bad", "note"]
    found: str
    mend: str = ""


def look(store: Path) -> list[Look]:
    """Look at everything, in the order in which it matters.

    Args:
        store: The store's folder, whether or not it is there.
    """
    return [
        _python(),
        *_packages(),
        *_devices(),
        _memory(),
        *_cores(),
        _disk(store),
        _base(),
        _hub(),
        *_extras(),
        _letters(),
    ]


def _python() -> Look:
    found = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    return Look("python", "good", found)


def _packages() -> Iterator[Look]:
    from packaging.requirements import Requirement
    from packaging.version import Version

    for text in metadata.requires("tuneloop") or []:
        wanted = Requirement(text)
        if wanted.marker is not None:
            continue
        try:
            there = metadata.version(wanted.name)
        except metadata.PackageNotFoundError:
            yield Look(wanted.name, "bad", "not installed", f"pip install '{wanted.name}{wanted.specifier}'")
            continue
        if not wanted.specifier.contains(there, prereleases=True):
            yield Look(wanted.name, "bad", f"{there}, needs {wanted.specifier}", f"pip install '{wanted}'")
        elif wanted.name in TESTED and Version(there).release[:2] > Version(TESTED[wanted.name]).release:
            mend = f"if something breaks: pip install '{wanted.name}=={TESTED[wanted.name]}.*'"
            yield Look(wanted.name, "note", f"{there}, newer than tested ({TESTED[wanted.name]})", mend)
        elif wanted.name in TESTED:
            yield Look(wanted.name, "good", there)


def _devices() -> Iterator[Look]:
    import torch

    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            about = torch.cuda.get_device_properties(index)
            half = "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "no bf16, so fp32"
            yield Look(f"cuda:{index}", "good", f"{about.name}, {size(about.total_memory)}, {half}")
        return
    if torch.backends.mps.is_available():
        yield Look("device", "good", "Apple MPS")
        return
    from tuneloop.training.precision import SMALL, cpu_has_bf16

    vector = torch.backends.cpu.get_cpu_capability()
    half = f"bf16 for models from {SMALL // 10**6} million parameters" if cpu_has_bf16() else "no bf16: all in fp32"
    yield Look("device", "note", f"CPU only, {vector}, {half}")
    if shutil.which("nvidia-smi"):
        mend = "install the torch that fits your driver: https://pytorch.org/get-started"
        yield Look("gpu", "slow", "there is an NVIDIA driver, but this torch has no CUDA", mend)


def _memory() -> Look:
    import psutil

    memory = psutil.virtual_memory()
    limit = _number("/sys/fs/cgroup/memory.max")
    total = min(memory.total, limit) if limit else memory.total
    used = _number("/sys/fs/cgroup/memory.current") if limit else None
    free = min(memory.available, limit - used) if limit and used is not None else memory.available
    found = f"{size(free)} free of {size(total)}" + (
        " (limit of the container)" if limit and limit < memory.total else ""
    )
    if free < 1.5 * 1024**3:
        return Look("memory", "slow", found, "close other programs; the small embedded model still needs about 1 GiB")
    return Look("memory", "good", found)


def _number(path: str) -> int | None:
    try:
        return int(Path(path).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def _cores() -> Iterator[Look]:
    import torch

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    threads = torch.get_num_threads()
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    found = f"{cores} cores, {threads} threads, load {load:.1f}"
    if threads > cores:
        yield Look(
            "threads", "slow", found, f"export OMP_NUM_THREADS={cores}: more threads than cores wait for each other"
        )
    elif load > cores * 1.5:
        yield Look("threads", "slow", found, "other programs are at work; export OMP_NUM_THREADS=1 helps meanwhile")
    else:
        yield Look("threads", "good", found)
    policy = os.environ.get("OMP_WAIT_POLICY", "")
    if policy.lower() != "passive":
        mend = "unset OMP_WAIT_POLICY: tuneloop then sets passive, and a busy core no longer stalls the others"
        yield Look("OMP_WAIT_POLICY", "slow", policy or "not set", mend)


def _disk(store: Path) -> Look:
    place = next((each for each in (store, *store.absolute().parents) if each.is_dir()), Path())
    free = shutil.disk_usage(place).free
    found = f"{size(free)} free at {store}"
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        mend = "give yourself write permission there, or choose another place with --store FOLDER"
        return Look("store", "bad", f"{place.absolute()} cannot be written: {error.strerror}", mend)
    if free < ROOM:
        return Look("store", "slow", found, "free some space: tuneloop gc removes what no ref reaches")
    return Look("store", "good", found)


def _base() -> Look:
    from tuneloop import embedded

    missing = [name for name in ("config.json", "model.safetensors", "tokenizer.json") if not _is_there(name)]
    if missing or not embedded.recipe().is_file():
        return Look("embedded model", "bad", f"missing: {', '.join(missing) or 'recipe'}", "install tuneloop again")
    weight = (embedded.base() / "model.safetensors").stat().st_size
    return Look("embedded model", "good", f"there, {size(weight)}: tuneloop demo works offline")


def _is_there(name: str) -> bool:
    from tuneloop import embedded

    return (embedded.base() / name).is_file()


def _hub() -> Look:
    from huggingface_hub import constants

    cache = Path(constants.HF_HUB_CACHE)
    offline = ", offline by HF_HUB_OFFLINE" if constants.HF_HUB_OFFLINE else ""
    models = len(list(cache.glob("models--*"))) if cache.is_dir() else 0
    return Look("hugging face", "note", f"{models} models kept in {cache}{offline}")


def _extras() -> Iterator[Look]:
    from packaging.requirements import Requirement

    for text in metadata.requires("tuneloop") or []:
        wanted = Requirement(text)
        extra = str(wanted.marker).partition("extra ==")[2].strip(" \"'") if wanted.marker else ""
        if not extra or extra == "dev":
            continue
        try:
            yield Look(f"extra {extra}", "good", f"{wanted.name} {metadata.version(wanted.name)}")
        except metadata.PackageNotFoundError:
            yield Look(f"extra {extra}", "note", f"{wanted.name} is not installed", f"pip install 'tuneloop[{extra}]'")


def _letters() -> Look:
    coding = (sys.stdout.encoding or "ascii").lower()
    if coding.replace("-", "") != "utf8":
        mend = "export PYTHONUTF8=1: curves and Chinese are shown as they are"
        return Look("terminal", "slow", f"writes {coding}, not UTF-8", mend)
    return Look("terminal", "good", "writes UTF-8")
