"""A tiny release in a store, and the service on it: in a thread of the test, or in a process of its own."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import openai
import pytest

from tuneloop.parts import find
from tuneloop.serving.section import ServeSection
from tuneloop.serving.serve import Service
from tuneloop.store import Model, Release, Store
from tuneloop.tasks import Task


class Place(NamedTuple):
    """A running service."""

    url: str
    store: Store
    service: Service

    @property
    def client(self) -> openai.OpenAI:
        return openai.OpenAI(base_url=f"{self.url}/v1", api_key="none", max_retries=0, timeout=60)

    def post(self, path: str, body: Any, **more: Any) -> httpx.Response:
        return httpx.post(self.url + path, json=body, timeout=60, **more)


def make_model(store: Store, base: Path, seed: int) -> Model:
    """A model whose adapter was moved by hand, far enough that its answers vary."""
    import torch

    from tuneloop.models import find_base, load_base, save_model
    from tuneloop.models.adapters import Adapter
    from tuneloop.models.section import ModelSection

    section = ModelSection(base=str(base))
    task = find(Task, "sft")()
    loaded = load_base(find_base(section, folder=base, store=store), section, task, seed=0)
    loaded.model = find(Adapter, "lora")().attach(loaded.model)
    torch.manual_seed(seed)
    with torch.no_grad():
        for weight in loaded.model.parameters():
            if weight.requires_grad:
                weight.add_(torch.randn_like(weight) * 0.3)
    with store.draft() as folder:
        facts = save_model(loaded, folder / "model")
        return store.seal(Model, folder, parents={}, key=f"model-{seed}", facts=facts)


def make_release(store: Store, base: Path, seed: int) -> Release:
    model = make_model(store, base, seed)
    with store.draft() as folder:
        (folder / "release.json").write_text("{}")
        return store.seal(Release, folder, parents={"model": model.id}, key=f"release-{seed}", facts={})


@contextmanager
def running(store: Store, folder: Path, ref: str = "faq/champion", **options: Any) -> Iterator[Place]:
    service = Service(ServeSection(port=0, **options), ref=ref, store=store, folder=folder)
    said: list[str] = []
    heard = threading.Event()

    def ready(url: str) -> None:
        said.append(url)
        heard.set()

    thread = threading.Thread(target=service.run, args=[ready])
    thread.start()
    try:
        assert heard.wait(60), "the service did not start"
        yield Place(said[0], store, service)
    finally:
        service.stop()
        thread.join(30)
        assert not thread.is_alive()


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Store:
    store = Store(tmp_path_factory.mktemp("serving") / "store")
    first, second = make_release(store, tiny_model, 1), make_release(store, tiny_model, 2)
    store.refs.move("faq/challenger", second.id, why="test")
    store.refs.move("faq/champion", first.id, why="test")
    return store


@pytest.fixture(scope="session")
def place(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with running(store, tmp_path_factory.mktemp("folder")) as place:
        yield place


@pytest.fixture(scope="session")
def serving() -> Any:
    """Starts a service in a thread: ``with serving(store, folder, ref, **options) as place``."""
    return running


@pytest.fixture(scope="session")
def releasing() -> Any:
    """Makes a tiny release: ``releasing(store, base, seed)``."""
    return make_release
