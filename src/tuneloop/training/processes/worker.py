"""A worker: one process of a training, started by :mod:`tuneloop.training.processes.launch` and gone with it."""

from __future__ import annotations

import os
import sys
import threading

from tuneloop.errors import TuneloopError
from tuneloop.training.processes.told import Telling, Told, of_error, of_fault


def main() -> int:
    """Do this process's part of the job that comes through the standard input of rank 0.

    Returns:
        0, or of a training that ended early the status that a command should have.
    """
    pipe = os.dup(1)
    os.dup2(2, 1)  # what libraries print is no message
    told = Telling(pipe)
    try:
        rank = int(os.environ["RANK"])
        given = sys.stdin.buffer.readline() if rank == 0 else b""
        threading.Thread(target=_leave_with_the_watcher, daemon=True).start()
        if rank == 0:
            from tuneloop.training.job import Job
            from tuneloop.training.train import carry_out

            run, model = carry_out(Job.of_json(given), told)
            told.tell(Told("done", made={"run": run.id, "model": model.id}))
        else:
            from tuneloop.training.train import follow

            follow()
    except TuneloopError as error:
        told.tell(of_error(error))
        return int(getattr(error, "exit_code", 2))
    except KeyboardInterrupt:  # before there was anything to save
        raise
    except BaseException as error:
        told.tell(of_fault(error))
        raise
    return 0


def _leave_with_the_watcher() -> None:
    """Wait for the end of the pipe from the watcher, and end this process at once."""
    while os.read(0, 1 << 16):
        pass
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main())
