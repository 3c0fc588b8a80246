"""The service as a process: opens what a ref points at, listens, and follows the ref while it serves."""

from __future__ import annotations

import ipaddress
import logging
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuneloop.errors import ServeError, TuneloopError
from tuneloop.models import open_model
from tuneloop.serving.section import ServeSection
from tuneloop.serving.served import Served
from tuneloop.store import Model, Release, Store

if TYPE_CHECKING:
    import uvicorn

log = logging.getLogger(__name__)
LOOK_SECONDS = 1.0
GRACE_SECONDS = 10
BACKLOG = 2048


def serve(
    section: ServeSection, *, ref: str, store: Store, folder: Path, ready: Callable[[str], None] | None = None
) -> None:
    """Serve what a ref points at until SIGTERM or Ctrl-C; when the ref moves, new requests go to the new model.

    Args:
        section: The recipe's ``serve`` section.
        ref: A ref (``faq/champion`` or ``champion``), or the id of a release or model.
        store: The store; answers and feedback are kept in its ``exchanges.db``.
        folder: The recipe's folder: ``keys`` is relative to it.
        ready: Called with the address when the service takes requests.

    Raises:
        ServeError: The address may not be used without keys, is taken, or the ref is no model.
        StoreError: Nothing has that name, or the log of answers cannot be opened.
        ModelError: The model cannot be opened.
    """
    Service(section, ref=ref, store=store, folder=folder).run(ready)


class Service:
    """A service that can be started in one thread and stopped from another.

    Args:
        section: The recipe's ``serve`` section.
        ref: A ref, or the id of a release or model.
        store: The store.
        folder: The recipe's folder.

    Raises:
        ServeError: The address may not be used without keys, or the key file is bad.
        StoreError: Nothing has that name.
    """

    def __init__(self, section: ServeSection, *, ref: str, store: Store, folder: Path) -> None:
        from tuneloop.serving.auth import Keys

        self._section = section
        self._store = store
        self._keys = Keys.read(folder / section.keys) if section.keys is not None else None
        if self._keys is None and not _is_loopback(section.host):
            raise ServeError(
                f"{section.host} can be reached from other machines, but there are no API keys",
                where="serve.host",
                fix="give serve.keys a file with one key per line, or listen on 127.0.0.1",
            )
        self._ref = _full_name(store, ref)
        self._stopped = threading.Event()
        self._server: uvicorn.Server | None = None
        self.served: Served

    def run(self, ready: Callable[[str], None] | None = None) -> None:
        """Serve until :meth:`stop`, SIGTERM or Ctrl-C.

        Raises:
            ServeError: The address is taken, or the ref is no model.
            StoreError: The log of answers cannot be opened.
            ModelError: The model cannot be opened.
        """
        import uvicorn

        from tuneloop.serving.app import build_app
        from tuneloop.store.exchanges import Exchanges

        with ExitStack() as stack:
            listener = stack.enter_context(_listen(self._section.host, self._section.port))
            exchanges = None
            if self._section.log:
                exchanges = stack.enter_context(Exchanges(self._store.root / "exchanges.db"))
            seen = self._refs_state()
            self.served = self._open()
            app = build_app(lambda: self.served, exchanges=exchanges, keys=self._keys)
            config = uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                lifespan="off",
                ws="none",
                server_header=False,
                timeout_graceful_shutdown=GRACE_SECONDS,
            )
            self._server = uvicorn.Server(config)
            follower = threading.Thread(target=self._follow, args=[seen], name="tuneloop-follow", daemon=True)
            follower.start()
            stack.callback(follower.join)
            stack.callback(self._stopped.set)
            stack.enter_context(_signals_call(self.stop))
            if ready is not None:  # the socket listens already; what comes before the loop runs waits a moment
                ready(_url(listener))
            self._server.run(sockets=[listener])

    def stop(self) -> None:
        """End the service; answers that are being given get a few seconds to finish."""
        self._stopped.set()
        if self._server is not None:
            self._server.should_exit = True

    def _open(self) -> Served:
        from tuneloop.models.generate import writes

        artifact = self._store.open(self._ref)
        if isinstance(artifact, Release):
            model = self._store.get(Model, artifact.parents["model"])
        elif isinstance(artifact, Model):
            model = artifact
        else:
            raise ServeError(
                f"{self._ref} is a {artifact.kind}, which cannot answer",
                where=artifact.id,
                fix="name a release or a model: tuneloop runs lists them",
            )
        loaded = open_model(model, self._store)
        writes(loaded)
        return Served(self._ref, artifact.id, model.id, loaded.base.name, loaded, self._section.engine.start(loaded))

    def _follow(self, seen: Any) -> None:
        """Look at the refs about once a second; open what is new beside the old, then switch."""
        while not self._stopped.wait(LOOK_SECONDS):
            now = self._refs_state()
            if now == seen:
                continue
            seen = now
            try:
                if self._store.resolve(self._ref) != self.served.release:
                    self.served = self._open()
                    log.info("%s now answers with %s", self._ref, self.served.release)
            except (TuneloopError, OSError) as error:
                log.error("%s has moved, but the old model goes on answering: %s", self._ref, error)

    def _refs_state(self) -> tuple[int, int]:
        try:
            state = self._store.refs.path.stat()
        except FileNotFoundError:
            return (0, 0)
        return state.st_mtime_ns, state.st_size


def _full_name(store: Store, ref: str) -> str:
    """The full name of a ref that is given by its last part, so that it stays the same while others come and go."""
    id = store.resolve(ref)
    refs = store.refs.all()
    if ref in refs:
        return ref
    return next((name for name, target in refs.items() if name.endswith(f"/{ref}") and target == id), id)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, kind, proto, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP, flags=socket.AI_PASSIVE
        )[0]
        # asyncio sends small pieces without delay only on sockets that name their protocol, as this one does.
        listener = socket.socket(family, kind, proto)
    except OSError as error:
        raise _cannot_listen(host, port, error) from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise _cannot_listen(host, port, error) from error
    return listener


def _cannot_listen(host: str, port: int, error: OSError) -> ServeError:
    return ServeError(
        f"cannot listen there: {error.strerror or error}",
        where=f"{host}:{port}",
        fix="choose another port with serve.port (0 takes a free one), or end the process that holds it",
    )


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@contextmanager
def _signals_call(stop: Callable[[], None]) -> Iterator[None]:
    """End in good order on SIGTERM and Ctrl-C; uvicorn raises them again after its own end, which then does nothing."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, lambda *_: stop()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
