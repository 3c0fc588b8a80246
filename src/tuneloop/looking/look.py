"""The pages as a process: listens on this machine alone, until it is told to stop."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tuneloop.errors import StoreError

if TYPE_CHECKING:
    import uvicorn

HOST = "127.0.0.1"
_TRIED = 20


class Looking:
    """The site, which can be started in one thread and stopped from another.

    Args:
        roots: Stores, folders of runs, or a run's own folder.
        port: Where to listen; None takes the first free one from 7870 on, 0 any.

    Raises:
        StoreError: A folder is not there, or the port is taken.
        MissingPackage: The chart library is not installed.
    """

    def __init__(self, roots: Sequence[Path], port: int | None = None) -> None:
        import uvicorn

        from tuneloop.looking.app import build_app
        from tuneloop.looking.shelf import Shelf

        for root in roots:
            if not root.is_dir():
                raise StoreError("there is no such folder", where=str(root), fix="name a store or a folder of runs")
        app = build_app(Shelf(roots))
        self._listener = _listen(port)
        config = uvicorn.Config(
            app, log_level="error", access_log=False, lifespan="off", ws="none", server_header=False
        )
        self._server: uvicorn.Server = uvicorn.Server(config)

    @property
    def address(self) -> str:
        """Where a browser finds it."""
        return f"http://{HOST}:{self._listener.getsockname()[1]}"

    def run(self, ready: Callable[[str], None] | None = None) -> None:
        """Answer until :meth:`stop` or Ctrl-C.

        Args:
            ready: Called with the address when it takes requests.
        """
        if ready is not None:  # the socket listens already
            ready(self.address)
        self._server.run(sockets=[self._listener])

    def stop(self) -> None:
        """End it, from another thread."""
        self._server.should_exit = True

    def close(self) -> None:
        """Let go of the port."""
        self._listener.close()


def _listen(port: int | None) -> socket.socket:
    wanted = range(7870, 7870 + _TRIED) if port is None else [port]
    for number in wanted:
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((HOST, number))
            listener.listen()
            return listener
        except OSError as error:
            listener.close()
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise
    raise StoreError(
        f"cannot listen on port {wanted[0]}", where=f"{HOST}:{wanted[0]}", fix="choose another one: --port 0"
    )
