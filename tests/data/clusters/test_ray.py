"""A cluster through Ray Data: the same bytes as without it, whatever dies on the way, and failures told whole.

One local Ray of two processors serves all tests that need one; the last one kills the program that started it.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.data.test_parallel import STEPS, sources, whole
from tests.data.toys import Failing, Keyed, KilledOnce, Looking, Stuck

from tuneloop.data.clusters import Cluster, Workers
from tuneloop.data.clusters._surroundings import check_alike, surroundings
from tuneloop.data.clusters.ray import Ray
from tuneloop.data.section import DataSection
from tuneloop.errors import DataError, MissingPackage
from tuneloop.parts import find
from tuneloop.store import Dataset, Store

Make = Callable[..., Dataset]
needs_ray = pytest.mark.skipif(find_spec("ray") is None, reason="ray is not installed (tuneloop[ray])")
LOCAL = {"ray": {"address": "local", "num_cpus": 2}}


def _below() -> list[psutil.Process]:
    return psutil.Process().children(recursive=True)


def _folders() -> set[Path]:
    return set(Path(tempfile.gettempdir()).glob("tuneloop-ray-*"))


@pytest.fixture(scope="module", autouse=True)
def _apart() -> Iterator[None]:
    """A temporary folder for this module's Rays alone: others may run beside it. Short, for the paths of sockets."""
    whole = tempfile.gettempdir()
    with (
        tempfile.TemporaryDirectory(prefix="", ignore_cleanup_errors=True) as folder,
        pytest.MonkeyPatch.context() as to,
    ):
        to.setenv("TMPDIR", folder)
        to.setattr(tempfile, "tempdir", folder)
        yield
    assert tempfile.gettempdir() == whole


@pytest.fixture(scope="module")
def nodes() -> Iterator[Workers]:
    """A local Ray, whose workers find the toys."""
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = str(Path(__file__).parents[3])
    folders = _folders()
    try:
        with Ray(address="local", num_cpus=2).open() as workers:
            yield workers
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before
    assert psutil.wait_procs(_below(), timeout=10)[1] == []
    assert _folders() == folders


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make chunks and windows small."""
    monkeypatch.setattr("tuneloop.data.reading.ROWS", 7)
    monkeypatch.setattr("tuneloop.data.stretch.ROWS", 11)
    monkeypatch.setattr("tuneloop.data.decoding.BLOCK", 512)
    monkeypatch.setattr("tuneloop.data.clusters.ray.AHEAD", 4)


@pytest.fixture
def shared(make: Make, nodes: Workers, small: None, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Prepare on the Ray that runs already."""
    monkeypatch.setattr(Ray, "open", lambda self: _Kept(nodes))
    return lambda *rows, **section: make(*rows, cluster=LOCAL, **section)


class _Kept:
    def __init__(self, nodes: Workers) -> None:
        self._nodes = nodes

    def __enter__(self) -> Workers:
        return self._nodes

    def __exit__(self, *error: object) -> None:
        pass


def test_the_cluster_is_no_part_of_the_key(make: Make) -> None:
    alone = make([{"text": "a"}])
    assert make([{"text": "a"}], cluster=LOCAL).manifest == alone.manifest


def test_what_a_recipe_may_say() -> None:
    def said(**data: Any) -> DataSection:
        return DataSection.model_validate({"sources": ["a.jsonl"], **data})

    assert said(cluster="ray").cluster == Ray(address="auto")
    assert Ray(address="[2001:db8::7]:6379").address != Ray(address="head.example.com:6379").address
    for address in ("ray://head:10001", "head", "http://head:1", ""):
        with pytest.raises(ValueError, match="address"):
            Ray(address=address)
    with pytest.raises(ValueError, match="num_cpus is for address: local"):
        Ray(num_cpus=2)
    with pytest.raises(ValueError, match="leave processes out"):
        said(cluster="ray", processes=2)


def test_without_the_package_the_way_out_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tuneloop.data.clusters.ray.find_spec", lambda name: None)
    with pytest.raises(MissingPackage, match="'ray'") as caught, find(Cluster, "ray")().open():
        pass
    assert caught.value.problems[0].fix.startswith("pip install 'tuneloop[ray]'")


def test_surroundings_that_differ_are_all_named_and_no_secret_is() -> None:
    here = {**surroundings(len), "the secret of step 1, redact": "a" * 64}
    assert here["tuneloop"] != "none"
    check_alike(here, dict(here), "192.0.2.7")
    with pytest.raises(DataError) as caught:
        check_alike(here, {**here, "ftfy": "5.9", "the secret of step 1, redact": "b" * 64}, "192.0.2.7")
    assert f"ftfy 5.9 instead of {here['ftfy']}, the secret of step 1, redact" in str(caught.value)
    assert "aaaa" not in str(caught.value)
    assert "bbbb" not in str(caught.value)


@pytest.mark.slow
@pytest.mark.parametrize("address", ["127.0.0.1:9", "auto"])
@needs_ray
def test_a_cluster_that_is_not_there_is_said_soon(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")  # Ray looks once, and a local one may follow
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))  # where Ray notes which cluster this machine is a node of
    began = time.monotonic()
    with pytest.raises(DataError, match="cannot be reached") as caught, Ray(address=address).open():
        pass
    assert time.monotonic() - began < 20
    assert caught.value.problems[0].where.endswith(address)


@pytest.mark.slow
@needs_ray
class TestOnALocalRay:
    def test_the_same_bytes_come_out(self, shared: Make, make: Make, tmp_path: Path) -> None:
        files = sources(tmp_path)
        split = {"validation": 0.2, "test": 0}
        alone = make(sources=files, transforms=STEPS, processes=1, split=split)
        found = whole(alone)
        alone.folder.rename(tmp_path / "gone")
        again = shared(sources=files, transforms=STEPS, split=split)
        assert again.id == alone.id
        assert whole(again) == found

    def test_several_processes_work_and_this_one_does_not(self, shared: Make) -> None:
        rows = [{"text": str(i)} for i in range(500)]
        tally = shared(rows, transforms=[Looking()]).report["steps"][0]["tally"]
        workers = [name for name in tally if name.startswith("process")]
        assert len(workers) >= 2
        assert f"process {os.getpid()}" not in workers

    def test_it_listens_and_speaks_on_this_machine_only(self, nodes: Workers) -> None:
        assert list(nodes.map(len, [[1], [1, 2]])) == [1, 2]
        ends = [end for each in (psutil.Process(), *_below()) for end in each.net_connections("inet")]
        hosts = {side.ip for end in ends for side in (end.laddr, end.raddr) if side}
        assert hosts <= {"127.0.0.1", "::ffff:127.0.0.1", "::1"}
        assert any(end.status == psutil.CONN_LISTEN for end in ends)

    def test_a_killed_process_is_made_up_for(self, shared: Make, make: Make, tmp_path: Path) -> None:
        rows = [{"text": "fail" if i == 250 else str(i)} for i in range(400)]
        steps = [KilledOnce(mark=str(tmp_path / "killed")), "normalize"]
        after = shared(rows, transforms=steps)
        assert (tmp_path / "killed").exists()
        found = whole(after)
        after.folder.rename(tmp_path / "gone")
        assert make(rows, transforms=steps).id == after.id
        assert whole(after.__class__(tmp_path / "gone", after.manifest)) == found

    def test_a_failure_on_a_node_arrives_whole(self, shared: Make) -> None:
        rows = [{"text": str(i)} for i in range(99)] + [{"text": "fail"}]
        with pytest.raises(DataError) as caught:
            shared(rows, transforms=[Failing(how="own")])
        problem = caught.value.problems[0]
        assert (problem.what, problem.where, problem.fix) == ("a bad row: fail", "rows.jsonl:100", "mend it")
        with pytest.raises(ZeroDivisionError, match="by nothing") as failed:
            shared(rows, transforms=[Failing(how="zero")])
        assert "toys.py" in failed.value.__notes__[0]

    def test_a_row_that_kills_every_process_ends_the_work(self, shared: Make) -> None:
        with pytest.raises(DataError, match="the cluster could not do the work"):
            shared([{"text": "fail"}] * 5, transforms=[Failing(how="kill")])

    def test_a_node_with_another_secret_is_refused(self, shared: Make) -> None:
        with pytest.raises(DataError, match="the secret of step 1, keyed") as caught:
            shared([{"text": "a"}], transforms=[Keyed(home=os.getpid())])
        assert caught.value.problems[0].where == "node 127.0.0.1"

    def test_what_cannot_travel_stays_here(self, shared: Make) -> None:
        steps = shared([{"text": str(i)} for i in range(60)], transforms=[Stuck()]).report["steps"]
        assert steps[0]["tally"] == {f"process {os.getpid()}": 60}

    def test_results_come_in_order_and_chunks_are_taken_as_needed(
        self, nodes: Workers, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("tuneloop.data.clusters.ray.AHEAD", 4)
        taken = []

        def chunks() -> Iterator[list[int]]:
            for size in range(40):
                taken.append(size)
                yield [0] * size

        for i, result in enumerate(nodes.map(len, (list(range(n)) for n in nodes.map(len, chunks())))):
            assert result == i
            assert len(taken) <= i + 2 * 2 * 4
        assert len(taken) == 40

    def test_a_second_connection_is_refused(self, nodes: Workers) -> None:
        with pytest.raises(DataError, match="already"), Ray(address="local").open():
            pass


PREPARE = """
import sys
from pathlib import Path
from tuneloop.data import decoding
from tuneloop.data.prepare import prepare
from tuneloop.data.section import DataSection
from tuneloop.store import Store

class Telling:
    def start(self, what, total=None): pass
    def note(self, text): pass
    def advance(self, done, figures=None): print("rows", done, flush=True)

decoding.BLOCK = 512
folder = Path(sys.argv[1])
cluster = {"ray": {"address": "local", "num_cpus": 2}}
section = DataSection.model_validate({"sources": ["rows.jsonl"], "transforms": ["normalize"], "cluster": cluster})
print(prepare(section, Store(folder / "store"), seed=42, folder=folder, progress=Telling()).id)
"""


@pytest.mark.slow
@needs_ray
def test_after_a_kill_of_the_program_the_same_dataset_comes_out(make: Make, tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text("".join(f'{{"text": "row {i} of many"}}\n' for i in range(3000)))

    def started() -> subprocess.Popen[str]:
        return subprocess.Popen([sys.executable, "-c", PREPARE, str(tmp_path)], stdout=subprocess.PIPE, text=True)

    folders = _folders()
    first = started()
    assert first.stdout is not None
    for line in first.stdout:
        if line.startswith("rows") and int(line.split()[1]) > 100:
            break
    below = psutil.Process(first.pid).children(recursive=True)
    assert len(below) > 3
    first.send_signal(signal.SIGKILL)
    first.communicate()
    agents = [each for each in below if "Agent" in each.name()]  # they hold no rows, and look for their parent at times
    assert psutil.wait_procs(set(below) - set(agents), timeout=20)[1] == []
    for each in agents:
        each.kill()
    for folder in _folders() - folders:
        shutil.rmtree(folder)
    assert list(Store(tmp_path / "store").artifacts()) == []
    again = started().communicate()[0].splitlines()[-1]
    section = {"sources": ["rows.jsonl"], "transforms": ["normalize"], "split": {}}
    (tmp_path / "store").rename(tmp_path / "other")
    Store(tmp_path / "store")
    assert make(**section).id == again
