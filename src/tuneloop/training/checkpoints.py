"""Checkpoints: the whole state of a run in sealed folders, as safetensors and JSON, never pickle.

A checkpoint gets its name in one atomic step after all its bytes are on the disk, with the SHA-256 of
every file in its manifest. So a kill, a full disk or a damaged file costs the steps since the last good one,
and nothing else.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import msgspec
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from tuneloop.errors import TrainingError
from tuneloop.monitoring.progress import Progress
from tuneloop.store import seal as sealing
from tuneloop.store.digest import MANIFEST, FileEntry, of_folder
from tuneloop.store.disk import writing
from tuneloop.training import randomness
from tuneloop.training.processes.ranks import Ranks
from tuneloop.training.processes.shards import gathered, part_like
from tuneloop.training.state import State


class CheckpointManifest(msgspec.Struct, frozen=True):
    """Every file of a checkpoint with its size and SHA-256."""

    step: int
    files: dict[str, FileEntry]


class Scalars(msgspec.Struct):
    """What of a checkpoint is no tensor (``state.json``).

    Attributes:
        state: Where the run stands.
        optimizer: The optimizer's plain values by parameter name.
        scaler: The loss scaler's state, for fp16.
        random: The state of the generators of each process.
    """

    state: State
    optimizer: dict[str, dict[str, Any]]
    scaler: dict[str, Any]
    random: list[randomness.Generators]


class Checkpoints:
    """The checkpoints of one run, in one folder.

    Args:
        folder: Where they lie; it is made when it is not there.
        model: Its trainable weights are saved; frozen ones never change and are not.
        optimizer: Its state is saved.
        scaler: Its state is saved, for fp16.
        limit: How many are kept: the newest, besides the best.
        progress: Told when a damaged one is passed over.
        ranks: The processes of the run. All of them save and load together; the first one alone writes.
    """

    def __init__(
        self,
        folder: Path,
        *,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        scaler: torch.amp.GradScaler | None,
        limit: int,
        progress: Progress,
        ranks: Ranks | None = None,
    ) -> None:
        self.ranks = ranks or Ranks()
        self.folder = folder
        self.optimizer = optimizer
        self.scaler = scaler
        self.limit = limit
        self.progress = progress
        self.weights = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
        self._names = {id(weight): name for name, weight in self.weights.items()}

    def steps(self) -> list[int]:
        """The steps of the checkpoints that are there, oldest first."""
        return sorted(int(path.name.removeprefix("step-")) for path in self.folder.glob("step-*"))

    def at(self, step: int) -> Path:
        """The folder of the checkpoint of a step."""
        return self.folder / f"step-{step:08d}"

    def save(self, state: State) -> None:
        """Save everything after a step, then remove what is over the limit.

        Raises:
            StoreError: The disk is full or not writable; the checkpoints before it are untouched.
        """
        weights = {name: gathered(weight, keep=self.ranks.first) for name, weight in self.weights.items()}
        tensors, plain = self._optimizer_state()
        generators = self.ranks.collect(msgspec.json.encode(randomness.Generators.now()))
        if not self.ranks.first:
            return
        random = [msgspec.json.decode(each, type=randomness.Generators) for each in generators]
        scalars = Scalars(state, plain, self.scaler.state_dict() if self.scaler else {}, random)
        draft = self.folder / "draft"
        with writing(self.folder):
            shutil.rmtree(draft, ignore_errors=True)
            draft.mkdir(parents=True)
            try:
                save_file(weights, draft / "weights.safetensors")
                save_file(tensors, draft / "optimizer.safetensors")
                (draft / "state.json").write_bytes(msgspec.json.encode(scalars))
                manifest = CheckpointManifest(state.step, of_folder(draft))
                sealing.seal(draft, self.at(state.step), sealing.encode(manifest))
            finally:
                shutil.rmtree(draft, ignore_errors=True)
        self._prune(state)

    def resume(self) -> State | None:
        """Load the newest checkpoint that is whole; damaged ones are noted, removed and passed over.

        Returns:
            The state to go on from, None where there is no good checkpoint.
        """
        newest = self._newest() if self.ranks.first else None
        told = self.ranks.tell(msgspec.json.encode(newest))
        step = msgspec.json.decode(told, type=int | None)
        return None if step is None else self._load(step)

    def _newest(self) -> int | None:
        for step in reversed(self.steps()):
            found = self._damage(step)
            if not found:
                return step
            self.progress.note(f"the checkpoint of step {step} is damaged ({found}): going back to the one before")
            self._remove(step)
        return None

    def load_weights(self, step: int) -> None:
        """Put the weights of one checkpoint into the model.

        Raises:
            TrainingError: It is damaged.
        """
        found = self._damage(step)
        if found:
            raise TrainingError(
                f"the best checkpoint is damaged: {found}",
                where=str(self.at(step)),
                fix=f"delete {self.folder.parent} and run again",
            )
        self._set_weights(step)

    def _load(self, step: int) -> State:
        self._set_weights(step)
        scalars = msgspec.json.decode((self.at(step) / "state.json").read_bytes(), type=Scalars)
        state: dict[str, dict[str, Any]] = {name: dict(values) for name, values in scalars.optimizer.items()}
        for key, tensor in load_file(self.at(step) / "optimizer.safetensors").items():
            field, name = key.split("/", 1)
            like = self.weights[name]
            state.setdefault(name, {})[field] = part_like(tensor, like) if tensor.shape == like.shape else tensor
        own = self.optimizer.state_dict()
        order = [self._names[id(weight)] for group in self.optimizer.param_groups for weight in group["params"]]
        own["state"] = {index: state[name] for index, name in enumerate(order) if name in state}
        self.optimizer.load_state_dict(own)
        if self.scaler:
            self.scaler.load_state_dict(scalars.scaler)
        if self.ranks.rank < len(scalars.random):
            scalars.random[self.ranks.rank].restore()
        return scalars.state

    def _set_weights(self, step: int) -> None:
        saved = load_file(self.at(step) / "weights.safetensors")
        with torch.no_grad():
            for name, weight in self.weights.items():
                weight.copy_(part_like(saved[name], weight))

    def _optimizer_state(self) -> tuple[dict[str, torch.Tensor], dict[str, dict[str, Any]]]:
        tensors: dict[str, torch.Tensor] = {}
        plain: dict[str, dict[str, Any]] = {}
        for weight, values in self.optimizer.state.items():
            name = self._names[id(weight)]
            for field, value in values.items():
                if isinstance(value, torch.Tensor):
                    tensors[f"{field}/{name}"] = gathered(value, keep=self.ranks.first)
                else:
                    plain.setdefault(name, {})[field] = value
        return tensors, plain

    def _damage(self, step: int) -> str:
        folder = self.at(step)
        try:
            manifest = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=CheckpointManifest)
        except (OSError, ValueError) as error:
            return f"its manifest cannot be read: {error}"
        if manifest.step != step:
            return f"it is the checkpoint of step {manifest.step}"
        return "; ".join(sealing.damage(folder, manifest.files))

    def _prune(self, state: State) -> None:
        best = state.best[0] if state.best else None
        for step in [step for step in self.steps() if step != best][: -self.limit]:
            self._remove(step)

    def _remove(self, step: int) -> None:
        # Renamed first, so that a kill in between never leaves half a checkpoint under its name.
        gone = self.folder / "gone"
        shutil.rmtree(gone, ignore_errors=True)
        with writing(self.folder):
            os.rename(self.at(step), gone)  # noqa: PTH104
        shutil.rmtree(gone, ignore_errors=True)
