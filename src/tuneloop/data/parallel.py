"""Work shared by processes: chunks go out, results come back in order, the same for any number of processes.

A worker is a fresh interpreter (nothing is forked, the caller's main program is not run again), reads its chunks from
a pipe, and ends when the pipe does: none outlives its parent. The first chunks are worked on by the caller itself,
so that small work does not wait for processes to start.
"""

from __future__ import annotations

import json
import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.connection import Connection, wait
from types import TracebackType
from typing import Any, TypeVar

from tuneloop.errors import DataError, Problem, TuneloopError

ALONE = 0.5
"""Seconds of the processor that the caller works alone before it starts other processes."""
AHEAD = 3
"""Chunks that a worker has at hand, so that it does not wait for the next one."""
MOST = 8
"""Most processes that are started unasked: beyond, the one that puts the results in order is the slowest."""

_START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[2]); "
    "from tuneloop.data.parallel import serve; serve(int(sys.argv[1]))"
)


C = TypeVar("C")
R = TypeVar("R")


def cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Crew:
    """Processes that share work; use it with ``with``.

    Args:
        count: How many processes; 1 leaves all work to the caller, None takes one for each core.

    Example:
        >>> with Crew(1) as crew:
        ...     list(crew.map(len, [[1, 2], [3]]))
        [2, 1]
    """

    def __init__(self, count: int | None = None) -> None:
        self._count = count or min(cores(), MOST)
        self._began = time.process_time()
        self._workers: list[_Worker] = []
        self._results: dict[int, Any] = {}
        self._given = 0

    def __enter__(self) -> Crew:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in self._workers:
            worker.end(at_once=kind is not None)

    def __reduce__(self) -> tuple[Any, ...]:
        return Crew, (1,)  # what a worker does is not shared any further

    def map(self, work: Callable[[C], R], chunks: Iterable[C]) -> Iterator[R]:
        """Do the work on every chunk; several may be under way, one over the results of another.

        Args:
            work: The work. Where it cannot be sent to other processes (it is of a program's main file, say) the
                caller does it.
            chunks: The chunks; so many are taken in advance as keep the workers busy.

        Yields:
            The results in the order of the chunks.

        Raises:
            DataError: A worker was killed.
        """
        shared = self._count > 1 and can_travel(work)
        waiting: deque[int] = deque()
        for chunk in chunks:
            if not shared or not self._is_long():
                yield work(chunk)
                continue
            while waiting and (waiting[0] in self._results or len(waiting) >= AHEAD * self._count):
                yield self._result(waiting.popleft())
            waiting.append(self._give(work, chunk))
        while waiting:
            yield self._result(waiting.popleft())

    def _is_long(self) -> bool:
        """Whether the work has turned out to be worth several processes."""
        return bool(self._workers) or time.process_time() - self._began >= ALONE

    def _give(self, work: Callable[[C], R], chunk: C) -> int:
        if not self._workers:
            self._workers = [_Worker() for _ in range(self._count)]
        while (worker := min(self._workers, key=lambda worker: worker.busy)).busy >= AHEAD:
            self._receive()
        self._given += 1
        worker.give(self._given, work, chunk)
        return self._given

    def _result(self, ticket: int) -> Any:
        while ticket not in self._results:
            self._receive()
        sound, value = self._results.pop(ticket)
        if not sound:
            raise value
        return value

    def _receive(self) -> None:
        """Wait for a result, of whatever work, and keep it."""
        ready = wait([worker.pipe for worker in self._workers if worker.busy])
        for worker in self._workers:
            if worker.pipe in ready:
                ticket, sound, value = worker.take()
                self._results[ticket] = (sound, value)


class _Worker:
    """One process, as its parent sees it."""

    def __init__(self) -> None:
        from multiprocessing import Pipe

        self.pipe, theirs = Pipe()
        command = [sys.executable, "-c", _START, str(theirs.fileno()), json.dumps(sys.path)]
        quiet = {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - this very interpreter
                command, pass_fds=[theirs.fileno()], env={**os.environ, **quiet}
            )
        self._works: list[Any] = []
        self.busy = 0

    def give(self, ticket: int, work: Any, chunk: Any) -> None:
        """Hand over a chunk, and before the first of a kind the work to do on it."""
        number = next((i for i, known in enumerate(self._works) if known is work), len(self._works))
        try:
            if number == len(self._works):
                self._works.append(work)
                self.pipe.send((0, number, pickle.dumps(work)))
            self.pipe.send((ticket, number, pickle.dumps(chunk)))
        except OSError:
            raise self._gone() from None
        self.busy += 1

    def take(self) -> tuple[int, bool, Any]:
        """Take a result that is there."""
        try:
            ticket, sound, value = self.pipe.recv()
        except (EOFError, OSError):
            raise self._gone() from None
        self.busy -= 1
        return ticket, sound, value if sound else revived(value)

    def end(self, *, at_once: bool) -> None:
        """Let the process end."""
        self.pipe.close()
        if at_once:
            self._process.kill()
        self._process.wait()

    def _gone(self) -> DataError:
        code = self._process.wait()
        how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"
        return DataError(
            f"a process that worked on the rows was {how}" if code < 0 else f"a process that worked on the rows {how}",
            where="prepare",
            fix="run the same command again; if the memory ran out, with fewer processes (data.processes: 1)",
        )


def serve(descriptor: int) -> None:
    """Be a worker: do the work on each chunk that comes through a pipe, until the pipe ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    pipe = Connection(descriptor)
    tasks: queue.SimpleQueue[tuple[int, int, bytes] | None] = queue.SimpleQueue()
    results: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
    threading.Thread(target=_take_in, args=(pipe, tasks), daemon=True).start()
    sending = threading.Thread(target=_give_out, args=(pipe, results), daemon=True)
    sending.start()
    works: dict[int, bytes] = {}
    ready: dict[int, Callable[[Any], Any]] = {}
    while (task := tasks.get()) is not None:
        ticket, number, value = task
        if ticket == 0:
            works[number] = value
            continue
        try:
            if number not in ready:
                ready[number] = pickle.loads(works[number])  # noqa: S301 - it comes from the parent
            results.put(pickle.dumps((ticket, True, ready[number](pickle.loads(value)))))  # noqa: S301
        except Exception as error:  # noqa: BLE001 - it is raised again, whole, in the parent
            results.put(pickle.dumps((ticket, False, carried(error))))
    results.put(None)
    sending.join()


def _take_in(pipe: Connection, tasks: queue.SimpleQueue[Any]) -> None:
    """Read what comes, so that the parent never waits for a worker that is busy."""
    try:
        while True:
            tasks.put(pipe.recv())
    except (EOFError, OSError):
        tasks.put(None)


def _give_out(pipe: Connection, results: queue.SimpleQueue[bytes | None]) -> None:
    """Write results as they come, so that a worker never waits for a parent that is busy."""
    while (result := results.get()) is not None:
        try:
            pipe.send_bytes(result)
        except OSError:
            os._exit(1)  # the parent is gone, and what is still being worked on is of no use


def can_travel(work: Any) -> bool:
    """Whether another process can be given the work."""
    try:
        return b"__main__" not in pickle.dumps(work)
    except (pickle.PicklingError, TypeError, AttributeError):
        return False


def carried(error: Exception) -> tuple[Any, ...]:
    """An exception made ready for its way to the parent."""
    if isinstance(error, TuneloopError):
        return type(error), error.problems
    told = "".join(traceback.format_exception(error))
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes; some exceptions cannot be made again
    except Exception:  # noqa: BLE001 - whatever its constructor raises, it cannot travel
        return RuntimeError(f"{type(error).__name__}: {error}"), told
    return error, told


def revived(parcel: tuple[Any, ...]) -> Exception:
    """The exception that was made ready, with where it happened."""
    first, second = parcel
    if isinstance(first, type):
        problems: tuple[Problem, ...] = second
        error: TuneloopError = first(problems[0].what, where=problems[0].where, fix=problems[0].fix)
        error.problems = problems
        return error
    failure: Exception = first
    failure.add_note(f"It happened in a worker process:\n{second}")
    return failure
