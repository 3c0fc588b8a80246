"""Ray: chunks of rows go to the nodes of a Ray cluster through Ray Data, and come back in order.

::

    chunks ─▶ window ─▶ ray.data.from_arrow ─▶ map_batches (any node) ─▶ iter_batches, in order ─▶ results
                ▲                                                                                     │
                └──────────────────────────── the next window ◀───────────────────────────────────────┘
"""

from __future__ import annotations

import logging
import os
import pickle
import secrets
import socket
import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache, lru_cache
from importlib.util import find_spec
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar, final

from pydantic import Field, model_validator

from tuneloop.data.clusters import Cluster, Workers
from tuneloop.data.parallel import can_travel, carried, revived
from tuneloop.errors import DataError, MissingPackage
from tuneloop.parts import install

if TYPE_CHECKING:
    import pyarrow

AHEAD = 16
"""Chunks of a window for each processor of the cluster: what a window costs is little beside the work in it."""
MOST = 1024
"""Most chunks of a window: they lie in the memory of the machine that gives them out."""
RETRIES = 3
"""So often a chunk is given out again after the process or node that worked on it was lost; Ray's own rule is for ever,
also for a row that kills every process."""
STORE = 256 << 20
"""Bytes of shared memory of a local Ray; a window needs some tens of MB."""
PATIENCE = 10.0
"""Seconds in which a cluster has to answer."""
HERE = "127.0.0.1"

C = TypeVar("C")
R = TypeVar("R")


@final
class Ray(Cluster):
    """A Ray cluster, which need hold neither the files of rows nor the store: chunks of rows travel to its nodes.

    Its nodes need tuneloop, in the version that is here. Run the command on one of them. It needs the package ray:
    ``pip install 'tuneloop[ray]'``.
    """

    address: str = Field("auto", pattern=r"^(auto|local|[\w.-]+:\d+|\[[0-9A-Fa-f:]+\]:\d+)$")
    """Where it is: ``host:port`` of its head; ``auto``, the cluster that this machine is a node of; ``local``, a Ray of
    this machine alone, started for the one preparation."""
    num_cpus: int | None = Field(None, ge=1, json_schema_extra={"beside": {"address": "local"}})
    """How many processors a ``local`` Ray shares the work among; all by default."""

    @model_validator(mode="after")
    def _fits(self) -> Ray:
        if self.num_cpus is not None and self.address != "local":
            raise ValueError("num_cpus is for address: local; a cluster that is there has the processors it has")
        return self

    @contextmanager
    def open(self) -> Iterator[Workers]:
        """Connect to the cluster, and to nothing else; usage statistics and dashboard are off.

        Raises:
            MissingPackage: ray is not installed.
            DataError: The cluster cannot be reached, or this process has a connection already.
        """
        if find_spec("ray") is None:
            raise MissingPackage(
                "the cluster needs the package 'ray', which is not installed",
                where="data.cluster.ray",
                fix=f"{install('ray')}, or leave data.cluster out: the dataset is the same",
            )
        with _environment(self._settings()), tempfile.TemporaryDirectory(prefix="tuneloop-ray-") as folder:
            import ray
            import ray.data

            if ray.is_initialized():
                raise DataError(
                    "this program is connected to a Ray cluster already",
                    where=f"data.cluster.ray.address: {self.address}",
                    fix="call ray.shutdown() before",
                )
            local = {
                "num_cpus": self.num_cpus,
                "num_gpus": 0,
                "object_store_memory": STORE,
                "include_dashboard": False,
                "_node_ip_address": HERE,
                "_temp_dir": folder,
            }
            for name in ("ray", "ray.data"):
                logging.getLogger(name).setLevel(logging.ERROR)
            quiet = {"configure_logging": False, "log_to_driver": False, "logging_level": logging.ERROR}
            try:
                self._knock()
                ray.init(address=self.address, **quiet, **(local if self.address == "local" else {}))
            except OSError as error:
                raise DataError(
                    f"the Ray cluster cannot be reached: {error}",
                    where=f"data.cluster.ray.address: {self.address}",
                    fix="start it (ray start --head), name its address, or leave data.cluster out: "
                    "the dataset is the same",
                ) from None
            try:
                if self.address == "local" and (host := ray.util.get_node_ip_address()) != HERE:
                    raise DataError(
                        f"a local Ray would listen at {host}, since this program had loaded ray before",
                        where="data.cluster.ray.address: local",
                        fix="load nothing of ray before, or set RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER=0",
                    )
                yield _Nodes()
            finally:
                ray.shutdown()

    def _knock(self) -> None:
        """See that somebody listens at the address: Ray itself would take minutes to say that nobody does.

        Raises:
            OSError: Nobody does.
        """
        host, _, port = self.address.rpartition(":")
        if host:
            socket.create_connection((host.strip("[]"), int(port)), timeout=PATIENCE).close()

    def _settings(self) -> dict[str, str | None]:
        """The environment that Ray is to see; None takes a variable away."""
        settings: dict[str, str | None] = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ADDRESS": None}
        settings["RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO"] = "0"  # a task without a GPU need not hide those that are there
        if self.address == "local":
            settings["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # Ray's word for: this machine alone, loopback only
            settings |= {"RAY_AUTH_MODE": None, "RAY_AUTH_TOKEN": _token()}  # unasked, a Ray of its own wants a token
        return settings


class _Nodes:
    """The nodes of the cluster that this process is connected to."""

    def map(self, work: Callable[[C], R], chunks: Iterable[C]) -> Iterator[R]:
        """Do the work on every chunk, a window of them at a time: Ray Data wants to know its input before it starts.

        What comes out is counted: a result that is missing or in another place is a fault, not another dataset.
        """
        from tuneloop.data.clusters._surroundings import surroundings

        if not can_travel(work):
            yield from map(work, chunks)
            return
        order = {"work": pickle.dumps(work), "here": surroundings(work)}
        numbered = enumerate(chunks)
        given = taken = 0
        while window := [_row(number, chunk) for number, chunk in islice(numbered, self._window())]:
            given += len(window)
            for number, sound, value in _results(window, order):
                if number != taken:
                    raise RuntimeError(f"Ray Data gave result {number} where {taken} was due")
                taken += 1
                if not sound:
                    raise revived(value)
                yield value
            if taken != given:
                raise RuntimeError(f"Ray Data gave {taken} results for {given} chunks")

    def _window(self) -> int:
        import ray

        return min(MOST, AHEAD * max(1, int(ray.cluster_resources().get("CPU", 1))))


def _results(window: list[pyarrow.Table], order: dict[str, Any]) -> Iterator[tuple[int, bool, Any]]:
    """The number of each chunk of a window, whether the work on it went well, and what came out."""
    import ray
    from ray.data import DataContext
    from ray.data.exceptions import SystemException
    from ray.util.annotations import RayDeprecationWarning

    context = DataContext.get_current().copy()
    context.execution_options.preserve_order = True
    context.enable_progress_bars = context.print_on_execution_start = False
    context.max_errored_blocks = 0
    context.op_resource_reservation_enabled = False  # meant for several operators; the one here would wait for nothing
    try:
        with DataContext.current(context), warnings.catch_warnings():
            warnings.simplefilter("ignore", RayDeprecationWarning)  # max_retries goes with 2.64, which we do not take
            rows = ray.data.from_arrow(window).map_batches(
                work_on, batch_size=None, batch_format="pyarrow", fn_kwargs=order, max_retries=RETRIES
            )
        window.clear()  # it lies in Ray's memory now
        for batch in rows.iter_batches(batch_size=None, batch_format="pyarrow"):
            for number, value in zip(batch["number"].to_pylist(), batch["value"], strict=True):
                yield number, *pickle.loads(value.as_buffer())  # noqa: S301 - it comes from our own work
    except (ray.exceptions.RayError, SystemException) as error:
        raise DataError(
            f"the cluster could not do the work: {type(error).__name__}: {str(error).strip()[-500:]}",
            where="data.cluster.ray",
            fix="see that its nodes have tuneloop and memory for a chunk of rows, and run the same command again",
        ) from None


def work_on(table: pyarrow.Table, work: bytes, here: dict[str, str]) -> pyarrow.Table:
    """Work on chunks, on whatever node; exceptions go back as values.

    Args:
        table: Their numbers and the chunks, pickled.
        work: The work, pickled.
        here: The surroundings of the process that gave it out.
    """
    import pyarrow as pa

    done = [pickle.dumps(_attempt(work, here, chunk.as_buffer())) for chunk in table["value"]]
    return pa.table({"number": table["number"], "value": pa.array(done, pa.large_binary())})


def _attempt(work: bytes, here: dict[str, str], chunk: pyarrow.Buffer) -> tuple[bool, Any]:
    try:
        return True, _ready(work, tuple(here.items()))(pickle.loads(chunk))  # noqa: S301 - from the caller
    except Exception as error:  # noqa: BLE001 - it is raised again, whole, by the caller
        return False, carried(error)


@lru_cache(maxsize=8)
def _ready(work: bytes, here: tuple[tuple[str, str], ...]) -> Callable[[Any], Any]:
    """The work, made ready once in a process, in surroundings that are found to be the same."""
    import ray

    from tuneloop.data.clusters._surroundings import check_alike, surroundings

    ready: Callable[[Any], Any] = pickle.loads(work)  # noqa: S301 - from the caller
    check_alike(dict(here), surroundings(ready), ray.util.get_node_ip_address())
    return ready


def _row(number: int, chunk: Any) -> pyarrow.Table:
    import pyarrow as pa

    return pa.table({"number": [number], "value": pa.array([pickle.dumps(chunk)], pa.large_binary())})


@cache
def _token() -> str:
    """What processes of a local Ray know one another by; Ray takes only one in the life of a program."""
    return secrets.token_hex(32)


@contextmanager
def _environment(settings: dict[str, str | None]) -> Iterator[None]:
    """Set variables of the environment for a time."""
    before = {name: os.environ.get(name) for name in settings}
    try:
        _set(settings)
        yield
    finally:
        _set(before)


def _set(settings: dict[str, str | None]) -> None:
    for name, value in settings.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
