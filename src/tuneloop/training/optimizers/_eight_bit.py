"""AdamW of bitsandbytes, made fit for checkpoints."""

from __future__ import annotations

from typing import Any

import torch
from bitsandbytes.optim import AdamW8bit


class AdamW8bitSteps(AdamW8bit):  # type: ignore[misc]
    """``bitsandbytes.optim.AdamW8bit`` whose state can be saved tensor by tensor, and comes back as it was."""

    def init_state(self, group: dict[str, Any], p: torch.Tensor, gindex: int, pindex: int) -> None:
        """Make the state of one weight, with its own copy of the tables of values: no file holds a tensor twice."""
        super().init_state(group, p, gindex, pindex)
        state = self.state[p]
        state |= {name: state[name].clone() for name in ("qmap1", "qmap2") if name in state}

    def load_state_dict(self, state_dict: dict[str, Any], move_to_device: bool = True) -> None:
        """Load a state, then move what was paged into pages again; bitsandbytes leaves it in plain memory."""
        super().load_state_dict(state_dict, move_to_device)
        if not self.is_paged:
            return
        for weight, values in self.state.items():
            for name in ("state1", "state2"):
                page = self.get_state_buffer(weight, dtype=values[name].dtype)
                values[name] = page.copy_(values[name])
        torch.cuda.synchronize()
