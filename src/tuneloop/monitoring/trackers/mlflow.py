"""MLflow: runs with parameters, metrics, artifacts and tags, and a model registry with aliases."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from tuneloop.errors import MissingPackage
from tuneloop.monitoring.trackers import LOCAL, About, Journal, Tracker, Version, flat
from tuneloop.parts import install
from tuneloop.rows import Signal

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "15",
    "GIT_PYTHON_REFRESH": "quiet",
}
"""No word to anybody but the server that is named, and no long waiting for one that is down."""
METRICS, PARAMETERS, LONGEST = 1000, 100, 6000
"""The most that MLflow takes in one request, and the characters of the longest parameter."""
KEY, MODEL = "tuneloop.key", "tuneloop.model"
"""Tags that runs and model versions are found by again."""


@final
class MLflow(Tracker):
    """Writes to an MLflow server, or to a file of its own in the store.

    Every figure is written once: what the server has already is asked first. Models that were released are listed in
    its registry under the recipe's name, with the aliases ``champion`` and ``challenger``.
    """

    tracking_uri: str | None = None
    """The server's address, or ``sqlite:///file.db``; null keeps an SQLite file in the store."""
    experiment: str | None = None
    """The experiment; null takes the recipe's name."""

    def open(self, about: About) -> Journal:
        """Find the run by its key, or make it, and write the recipe's options as its parameters.

        Raises:
            MissingPackage: MLflow is not installed.
            OSError: The server cannot be reached, or refuses.
        """
        client = self._client(Path(about.root))
        with reaching():
            return _Run(client, _run(client, self._experiment(client, about), about))

    def mirror(self, name: str, root: Path, versions: Sequence[Version]) -> None:
        """Make the registry say what the store's refs say.

        Raises:
            MissingPackage: MLflow is not installed.
            OSError: The server cannot be reached, or refuses.
        """
        from mlflow.exceptions import MlflowException

        client = self._client(root)
        with reaching():
            try:
                there = client.get_registered_model(name)
            except MlflowException as error:
                if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                    raise
                there = client.create_registered_model(name, description="Released by tuneloop.")
            listed = {each.tags.get(MODEL): each.version for each in client.search_model_versions(f"name='{name}'")}
            for version in versions:
                if version.model not in listed:
                    listed[version.model] = _listed(client, name, version)
            wanted = {alias: str(listed[version.model]) for version in versions for alias in version.aliases}
            aliases = {alias: str(number) for alias, number in (there.aliases or {}).items()}
            for alias, number in wanted.items():
                if aliases.get(alias) != number:
                    client.set_registered_model_alias(name, alias, number)
            for alias in aliases.keys() & {"champion", "challenger"} - wanted.keys():
                client.delete_registered_model_alias(name, alias)

    def _client(self, root: Path) -> MlflowClient:
        os.environ.update({name: value for name, value in QUIET.items() if name not in os.environ})
        try:
            from mlflow.tracking import MlflowClient
        except ModuleNotFoundError as error:
            what = f"the tracker mlflow needs the package {error.name!r}, which is not installed"
            raise MissingPackage(what, where="monitor.trackers", fix=install("mlflow-skinny")) from error
        uri = self.tracking_uri
        if uri is None:
            (root / LOCAL).mkdir(parents=True, exist_ok=True)
            uri = f"sqlite:///{(root / LOCAL / 'mlflow.db').absolute()}"
        with reaching():
            return MlflowClient(tracking_uri=uri, registry_uri=uri)

    def _experiment(self, client: MlflowClient, about: About) -> str:
        name = self.experiment or about.name
        found = client.get_experiment_by_name(name)
        if found is not None:
            return str(found.experiment_id)
        place = (about.local / "mlflow").absolute().as_uri() if self.tracking_uri is None else None
        return str(client.create_experiment(name, artifact_location=place))


def _run(client: MlflowClient, experiment: str, about: About) -> str:
    """The id of the run, made with its parameters where it is not there yet."""
    found = client.search_runs([experiment], filter_string=f"tags.`{KEY}` = '{about.key}'", max_results=1)
    if found:
        id = str(found[0].info.run_id)
        there = set(found[0].data.params)
        client.update_run(id, status="RUNNING")
    else:
        tags = {KEY: about.key, "mlflow.source.name": "tuneloop"}
        id, there = str(client.create_run(experiment, run_name=about.name, tags=tags).info.run_id), set[str]()
    from mlflow.entities import Param

    options = {_plain(path): value[:LONGEST] for path, value in flat(about.recipe).items()}
    fresh = [Param(path, value) for path, value in options.items() if path not in there]
    for start in range(0, len(fresh), PARAMETERS):
        client.log_batch(id, params=fresh[start : start + PARAMETERS])
    return id


class _Run:
    """One run on the server, and the last step that it has of every figure."""

    def __init__(self, client: MlflowClient, id: str) -> None:
        self.client = client
        self.id = id
        self.last: dict[str, int] = self._there()

    def log(self, signals: Sequence[Signal]) -> int:
        from mlflow.entities import Metric

        fresh: list[Any] = []
        last = dict(self.last)
        for signal in signals:
            name = _plain(signal.name)
            if signal.step > last.get(name, -1):
                last[name] = signal.step
                fresh.append(Metric(name, signal.value, round(1000 * signal.time), signal.step))
        with reaching():
            for start in range(0, len(fresh), METRICS):
                part = fresh[start : start + METRICS]
                self.client.log_batch(self.id, metrics=part)
                self.last.update((each.key, each.step) for each in part)
        return len(fresh)

    def finish(self, files: Mapping[str, Path], tags: Mapping[str, str]) -> None:
        from mlflow.entities import RunTag

        with reaching():
            for name, path in files.items():
                self.client.log_artifact(self.id, str(path), name.rpartition("/")[0] or None)
            self.client.log_batch(self.id, tags=[RunTag(f"tuneloop.{name}", value) for name, value in tags.items()])
            self.client.set_terminated(self.id, "FINISHED")

    def close(self) -> None:
        """Nothing is held open."""

    def _there(self) -> dict[str, int]:
        data: Any = self.client.get_run(self.id).data
        return {metric.key: int(metric.step) for metric in data._metric_objs}  # the public mapping has no steps


def _listed(client: MlflowClient, name: str, version: Version) -> str:
    """The number of a new version of a model."""
    found = client.search_runs(
        [each.experiment_id for each in client.search_experiments()],
        filter_string=f"tags.`{KEY}` = '{version.run}'",
        max_results=1,
    )
    run = str(found[0].info.run_id) if found else None
    source = f"runs:/{run}/model" if run else f"tuneloop:/{version.model}"
    made = client.create_model_version(name, source=source, run_id=run, tags={MODEL: version.model})
    return str(made.version)


def _plain(name: str) -> str:
    """A name with the letters that MLflow allows.

    Example:
        >>> _plain("train/loss/source/faq (old).jsonl#2")
        'train/loss/source/faq _old_.jsonl_2'
    """
    return re.sub(r"[^\w\-. /]", "_", name, flags=re.ASCII)[:250]


@contextmanager
def reaching() -> Iterator[None]:
    """Turn whatever says that a server cannot be reached, or refuses, into an :class:`OSError`."""
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        raise ConnectionError(str(error).splitlines()[0][:300]) from error
