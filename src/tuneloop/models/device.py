"""Where tensors live: the best device of this machine, unless a person names one."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def pick_device(name: str | None = None) -> torch.device:
    """Choose the device: the named one, else CUDA, else Apple's MPS, else the processor.

    Args:
        name: A torch device name such as ``cpu`` or ``cuda:1``.

    Example:
        >>> pick_device("cpu").type
        'cpu'
    """
    import torch

    if name is not None:
        return torch.device(name)
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")
