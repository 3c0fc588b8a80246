"""MLflow for real: a server on loopback is read back, a run is killed and goes on, a server is down."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tuneloop.monitoring.trackers.mlflow import MLflow

pytest.importorskip("mlflow")
RECIPES = Path(__file__).parents[3] / "recipes" / "tiny"
SERVER = """
import sys
from werkzeug.serving import run_simple
from mlflow.server import app
run_simple("127.0.0.1", int(sys.argv[1]), app, threaded=True)
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """MLflow's own REST server on a database of its own; the web pages alone are missing."""
    pytest.importorskip("flask")
    pytest.importorskip("flask_cors")
    folder, port = tmp_path_factory.mktemp("mlflow"), free_port()
    settings = {
        "_MLFLOW_SERVER_FILE_STORE": f"sqlite:///{folder}/mlflow.db",
        "_MLFLOW_SERVER_REGISTRY_STORE": f"sqlite:///{folder}/mlflow.db",
        "_MLFLOW_SERVER_ARTIFACT_ROOT": (folder / "artifacts").as_uri(),
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
    }
    words = [sys.executable, "-W", "ignore", "-c", SERVER, str(port)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(words, env=os.environ | settings, stdout=log, stderr=log)
    try:
        wait_for(port, process, folder / "log")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.2)
    pytest.fail(f"the server did not come up: {log.read_text()[-2000:]}")


def client(uri: str) -> Any:
    from mlflow.tracking import MlflowClient

    return MlflowClient(tracking_uri=uri, registry_uri=uri)


def recipe(folder: Path, uri: str, name: str, steps: int) -> Path:
    for file in RECIPES.glob("capitals.jsonl"):
        shutil.copy(file, folder)
    plain = yaml.safe_load((RECIPES / "capitals.yaml").read_text(encoding="utf-8"))
    plain |= {"name": name, "monitor": {"trackers": [{"mlflow": {"tracking_uri": uri}}]}}
    plain["train"] |= {"max_steps": steps, "eval_steps": max(1, steps // 4), "stop": None}
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(plain), encoding="utf-8")
    return path


def start(path: Path, store: Path) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-m", "tuneloop", "train", str(path), "--store", str(store)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def figures(found: Any, run: str) -> dict[str, list[tuple[int, float]]]:
    names = found.get_run(run).data.metrics
    return {name: [(each.step, each.value) for each in found.get_metric_history(run, name)] for name in names}


@pytest.mark.slow
def test_a_run_that_is_killed_and_goes_on_is_one_run_with_every_figure_once(server: str, tmp_path: Path) -> None:
    from tuneloop.store import Run, Store

    path, store = recipe(tmp_path, server, "killed", 240), tmp_path / "store"
    first = start(path, store)
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline and not list(store.glob("work/*/checkpoints/step-*")):
        time.sleep(0.1)
        assert first.poll() is None, first.communicate()[0].decode()
    time.sleep(2.5)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    second = start(path, store)
    said = second.communicate(timeout=400)[0].decode()
    assert second.returncode == 0, said
    assert "going on after step" in said and "does not have everything" not in said, said
    opened = Store(store)
    run = opened.get(Run, "killed/run")
    found = client(server)
    (tracked,) = found.search_runs([found.get_experiment_by_name("killed").experiment_id])
    there = figures(found, tracked.info.run_id)
    written = Counter((each.name, each.step) for each in run.signals())
    assert set(written.values()) == {1}
    assert Counter((name, step) for name, series in there.items() for step, _ in series) == written
    values = {(each.name, each.step): each.value for each in run.signals() if each.name == "validation/loss"}
    assert {("validation/loss", step): value for step, value in there["validation/loss"]} == pytest.approx(values)
    assert tracked.info.status == "FINISHED"
    assert tracked.data.params["train.max_steps"] == "240"
    assert tracked.data.tags["tuneloop.run"] == run.id
    assert {each.path for each in found.list_artifacts(tracked.info.run_id)} >= {"recipe.yaml", "model", "curves"}


def test_champion_and_challenger_are_aliases_that_follow_the_refs(server: str, tmp_path: Path) -> None:
    from tuneloop import life
    from tuneloop.monitoring.tracking import versions
    from tuneloop.store import Store

    store, found = Store(tmp_path / "store"), client(server)
    models: list[str] = []

    def holders() -> list[str]:
        MLflow(tracking_uri=server).mirror("roles", store.root, versions(store, "roles"))
        held = [found.get_model_version_by_alias("roles", alias) for alias in ("champion", "challenger")]
        return [each.tags["tuneloop.model"] for each in held]

    for steps in (1, 2):
        read = life.load(recipe(tmp_path, server, "roles", steps), ["monitor.trackers=[]"])
        models.append(life.train(read, store)[1].id)
        life.release(read, store)
        life.promote(read, store)
    assert holders() == [models[1], models[1]]
    life.rollback("roles", store)
    assert holders() == [models[0], models[1]]
    assert len(found.search_model_versions("name='roles'")) == 2


def test_release_promote_and_rollback_tell_the_trackers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from tuneloop import life
    from tuneloop.life import releasing
    from tuneloop.store import Model, Store

    store, told = Store(tmp_path / "store"), list[dict[str, str]]()
    monkeypatch.setattr(releasing, "mirror", lambda store, name, progress: told.append(store.refs.all()))
    read = life.load({"name": "faq", "data": {"sources": ["x"]}, "model": {"base": "embedded"}})
    for text in ("one", "two"):
        with store.draft() as folder:
            (folder / "model.json").write_text(f'"{text}"')
            model = store.seal(Model, folder, parents={}, key="", facts={})
        life.release(read, store, model=model)
        life.promote(read, store)
    life.rollback(read, store)
    champions = [each.get("faq/champion") for each in told]
    assert len(told) == 5 and champions[0] is None
    assert champions[1] == champions[2] == champions[4] != champions[3]


@pytest.mark.slow
def test_a_server_that_is_down_costs_the_run_nothing_but_a_note(tmp_path: Path) -> None:
    from tests.training.conftest import Heard

    from tuneloop import life
    from tuneloop.monitoring.tracking import send, trackers_of
    from tuneloop.store import Store

    store, heard = Store(tmp_path / "store"), Heard()
    read = life.load(recipe(tmp_path, f"http://127.0.0.1:{free_port()}", "down", 2))
    run, _ = life.train(read, store, heard)
    (note,) = (note for note in heard.notes if "mlflow" in note)
    assert f"tuneloop track {run.id}" in note
    (sent,) = send(store, run, [MLflow()])  # the file in the store instead
    assert (sent.error, sent.figures) == ("", len(list(run.signals())))
    found = client(f"sqlite:///{store.root / 'trackers' / 'mlflow.db'}")
    (tracked,) = found.search_runs([found.get_experiment_by_name("down").experiment_id])
    assert Counter((n, s) for n, series in figures(found, tracked.info.run_id).items() for s, _ in series) == Counter(
        (each.name, each.step) for each in run.signals()
    )
    assert trackers_of(run)[0].spelled()["mlflow"]["tracking_uri"].startswith("http://127")
