"""Ray: trials are trained by the nodes of a Ray cluster, each as a task."""

from __future__ import annotations

import logging
import os
import secrets
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from typing import Any, final

import msgspec
from pydantic import Field

from tuneloop.errors import MissingPackage, TrainingError
from tuneloop.parts import install
from tuneloop.tuning.runners import Crew, Place, Runner
from tuneloop.tuning.trials import Order, Outcome

PATIENCE = 10.0
"""Seconds in which a cluster has to answer."""
STORE = 128 << 20
"""Bytes of shared memory of a local Ray: orders and outcomes are small."""


@final
class Ray(Runner):
    """Trains trials as tasks of a Ray cluster; every node needs tuneloop, and the store at the same shared path.

    It needs the package ray: ``pip install 'tuneloop[ray]'``.
    """

    address: str = Field("auto", pattern=r"^(auto|local|[\w.-]+:\d+|\[[0-9A-Fa-f:]+\]:\d+)$")
    """Where it is: ``host:port`` of its head; ``auto``, the cluster that this machine is a node of; ``local``, a Ray of
    this machine alone, started for the one search."""
    num_cpus: float = Field(1.0, gt=0)
    """Processors that each trial takes."""
    num_gpus: float = Field(0.0, ge=0)
    """GPUs that each trial takes; 0.5 lets two share one."""

    @contextmanager
    def open(self, place: Place) -> Iterator[Crew]:
        """Connect to the cluster; usage statistics and dashboard are off.

        Raises:
            MissingPackage: ray is not installed.
            TrainingError: The cluster cannot be reached, or this process has a connection already.
        """
        if find_spec("ray") is None:
            raise MissingPackage(
                "the runner needs the package 'ray', which is not installed",
                where="tune.runner.ray",
                fix=f"{install('ray')}, or write runner: processes",
            )
        with tempfile.TemporaryDirectory(prefix="tuneloop-ray-") as folder, _environment(self.address):
            import ray

            self._connect(folder, place.workers)
            try:
                yield _Nodes(place, {"num_cpus": self.num_cpus, "num_gpus": self.num_gpus, "max_retries": 0})
            finally:
                ray.shutdown()

    def _connect(self, folder: str, workers: int) -> None:
        import ray

        where = f"tune.runner.ray.address: {self.address}"
        if ray.is_initialized():
            raise TrainingError(
                "this program is connected to a Ray cluster already", where=where, fix="call ray.shutdown() before"
            )
        own: dict[str, Any] = {
            "num_cpus": max(1, round(self.num_cpus * workers)),
            "object_store_memory": STORE,
            "include_dashboard": False,
            "_node_ip_address": "127.0.0.1",
            "_temp_dir": folder,
        }
        quiet = {"configure_logging": False, "log_to_driver": False, "logging_level": logging.ERROR}
        logging.getLogger("ray").setLevel(logging.ERROR)
        try:
            host, _, port = self.address.rpartition(":")
            if host:  # Ray itself would take minutes to say that nobody is there
                socket.create_connection((host.strip("[]"), int(port)), timeout=PATIENCE).close()
            ray.init(address=self.address, **quiet, **(own if self.address == "local" else {}))
        except OSError as error:
            raise TrainingError(
                f"the Ray cluster cannot be reached: {error}",
                where=where,
                fix="start it (ray start --head), name its address, or write runner: processes",
            ) from None


class _Nodes:
    """The nodes of the cluster that this process is connected to."""

    def __init__(self, place: Place, options: dict[str, Any]) -> None:
        import ray

        self._name = f"{place.score.__module__}:{place.score.__qualname__}"
        self._task = ray.remote(**options)(carry_out)
        self._orders: dict[Any, Order] = {}

    def give(self, order: Order) -> None:
        self._orders[self._task.remote(self._name, msgspec.json.encode(order))] = order

    def take(self) -> Outcome:
        import ray

        (done,), _ = ray.wait(list(self._orders), num_returns=1)
        order = self._orders.pop(done)
        try:
            return msgspec.json.decode(ray.get(done), type=Outcome)
        except ray.exceptions.RayError as error:
            said = str(error).strip().rpartition("\n")[2]
            return Outcome(order.trial, order.share, failure=f"its task failed: {type(error).__name__}: {said[-300:]}")


def carry_out(name: str, order: bytes) -> bytes:
    """Train a trial on whatever node.

    Args:
        name: The score function, ``module:function``.
        order: The order, as JSON.

    Returns:
        The outcome, as JSON.
    """
    from tuneloop.tuning.worker import named

    return msgspec.json.encode(named(name)(msgspec.json.decode(order, type=Order)))


@cache
def _token() -> str:
    """What processes of a local Ray know one another by; Ray takes only one in the life of a program."""
    return secrets.token_hex(32)


@contextmanager
def _environment(address: str) -> Iterator[None]:
    """What Ray is to see of the environment: no statistics, and of a Ray of its own the loopback and a token alone."""
    settings = {"RAY_USAGE_STATS_ENABLED": "0"}
    if address == "local":
        settings |= {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_AUTH_TOKEN": _token()}
    before = {name: os.environ.get(name) for name in (*settings, "RAY_ADDRESS")}
    os.environ.pop("RAY_ADDRESS", None)
    os.environ.update(settings)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
