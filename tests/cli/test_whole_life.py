"""The whole circle by the command line alone, on the tiny recipe: the words that a user types."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

TINY = Path(__file__).parents[2] / "recipes" / "tiny"
COMMAND = [sys.executable, "-m", "tuneloop"]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the recipe's first life already walked."""
    folder = tmp_path_factory.mktemp("home")
    for name in ("capitals.yaml", "capitals.jsonl"):
        (folder / name).write_bytes((TINY / name).read_bytes())
    said = tuneloop(folder, "run", "capitals.yaml", "--json")
    assert set(json.loads(said)) == {"dataset", "run", "model", "report", "bundle", "release", "scores"}
    return folder


def tuneloop(home: Path, *words: str, given: str = "") -> str:
    """Run a command that must succeed, and give what it printed."""
    done = subprocess.run([*COMMAND, *words], cwd=home, input=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_what_is_done_is_found_again(home: Path) -> None:
    first = json.loads(tuneloop(home, "runs", "--json"))
    tuneloop(home, "run", "capitals.yaml")
    assert [each["id"] for each in json.loads(tuneloop(home, "runs", "--json"))] == [each["id"] for each in first]


def test_a_chat_reads_lines_from_a_pipe(home: Path) -> None:
    once = tuneloop(home, "chat", given="Capital of France?\n")
    again = tuneloop(home, "chat", given="hello\n/reset\n\nCapital of France?\n/quit\nnever read\n")
    assert len(once.splitlines()) == 1
    assert again.splitlines()[-1] == once.splitlines()[-1], "what was said before /reset is forgotten"


def test_an_estimate_tells_memory_and_time_and_keeps_nothing(home: Path) -> None:
    before = json.loads(tuneloop(home, "runs", "--json"))
    found: dict[str, Any] = json.loads(tuneloop(home, "estimate", "capitals.yaml", "--json"))
    assert found["bytes"] == sum(found["model"]["memory"].values())
    assert found["probe"]["steps"] == 6
    assert found["probe"]["seconds"] > 0
    assert json.loads(tuneloop(home, "runs", "--json")) == before


def test_a_run_can_be_watched_afterwards(home: Path) -> None:
    assert "finished after step 6" in tuneloop(home, "watch", "--once")


def test_a_stopped_training_goes_on(home: Path) -> None:
    words = [*COMMAND, "train", "capitals.yaml", "--set", "train.max_steps=60", "--set", "train.stop=null"]
    training = subprocess.Popen(words, cwd=home, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    work = home / ".tuneloop" / "work"
    while training.poll() is None and not any(path.stat().st_size for path in work.glob("*/signals.jsonl")):
        pass
    training.send_signal(signal.SIGINT)
    _, err = training.communicate()
    assert training.returncode == 130, err
    assert "goes on from there" in err
    done = subprocess.run(words, cwd=home, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "going on after step" in done.stderr


def test_the_circle_closes(home: Path) -> None:
    tuneloop(home, "run", "capitals.yaml")
    first = json.loads(tuneloop(home, "show", "--json"))["capitals/champion"]
    answer = _serve_and_correct(home)
    traced = tuneloop(home, "lineage", answer)
    assert first in traced
    assert "capitals.jsonl" in traced
    assert json.loads(tuneloop(home, "collect", "capitals.yaml", "--json"))["id"].startswith("dataset-")
    challenger = json.loads(tuneloop(home, "retrain", "capitals.yaml", "--json"))["release"]
    assert challenger != first
    assert challenger in tuneloop(home, "promote", "capitals.yaml")
    assert first in tuneloop(home, "rollback", "capitals.yaml", "--why", "a test").splitlines()[0]
    assert "exchange" in tuneloop(home, "lineage", challenger)


def _serve_and_correct(home: Path) -> str:
    """Serve the champion, ask it one thing, correct the answer, and stop the service; give the answer's id."""
    words = [*COMMAND, "serve", "capitals.yaml", "--set", "serve.port=0"]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    service = subprocess.Popen(words, cwd=home, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        assert service.stdout is not None
        address = re.search(r"http://\S+", service.stdout.readline())
        assert address is not None
        base = address[0].rstrip("/")
        ask = {"model": "champion", "messages": [{"role": "user", "content": "Capital of Elbonia?"}], "max_tokens": 8}
        answer: str = httpx.post(f"{base}/v1/chat/completions", json=ask, timeout=60).raise_for_status().json()["id"]
        judged = {"exchange": answer, "kind": "correction", "value": "Mudville", "who": "a test"}
        httpx.post(f"{base}/feedback", json=judged, timeout=60).raise_for_status()
    finally:
        service.send_signal(signal.SIGINT)
        service.wait(timeout=60)
    return answer
