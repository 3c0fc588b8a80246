"""The environment of a run: versions, device and threads, as far as they can change its figures."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from typing import Any

import torch

PACKAGES = ("tuneloop", "torch", "transformers", "peft", "tokenizers", "safetensors", "numpy")


def environment(device: torch.device) -> dict[str, Any]:
    """What the run stands on: ``environment.json``."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: metadata.version(name) for name in PACKAGES},
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else _processor(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
    }


def _processor() -> str:
    return platform.processor() or platform.machine()
