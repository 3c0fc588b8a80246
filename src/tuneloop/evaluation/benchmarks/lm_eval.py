"""Benchmarks of lm-evaluation-harness, from YAML tasks and data on this machine."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from pydantic import Field

from tuneloop.errors import DataError, MissingPackage, ModelError
from tuneloop.evaluation.benchmarks import Benchmark, Benchmarked

if TYPE_CHECKING:
    from tuneloop.models import Loaded

UNREADABLE = (OSError, KeyError, ValueError, TypeError, NotImplementedError)
"""What the harness raises for tasks and data that are not there or not sound."""


@final
class LmEval(Benchmark):
    """Tasks of EleutherAI's lm-evaluation-harness, asked of the model with its chat template as it is served.

    The harness reads its tasks from YAML files, its own or yours; a task may bring Python code, which then runs. Data
    come from files on this machine, or from what ``datasets`` has in its cache: nothing is fetched unless ``offline``
    is false. The figures are those that the harness itself gives for the merged model.
    """

    tasks: list[str] = Field(min_length=1, examples=[["cmmlu_marketing"]])
    """Names of tasks, or paths of their YAML files."""
    include_path: str = Field("", examples=["benchmarks/"])
    """A folder with YAML tasks of your own."""
    num_fewshot: int | None = Field(None, ge=0)
    """Worked examples before each question; null takes what the task says."""
    limit: int | None = Field(None, ge=1)
    """Questions of each task; null asks all."""
    apply_chat_template: bool = True
    """Whether questions stand in the chat template; false asks a base model plainly."""
    batch_size: int = Field(8, ge=1)
    """Questions that are read together."""
    offline: bool = True
    """Whether data must be on this machine already."""

    def run(self, loaded: Loaded, folder: Path, seed: int) -> list[Benchmarked]:
        """Let the harness ask the model.

        Raises:
            DataError: A task or its data cannot be found or read.
            MissingPackage: ``lm-eval`` is not installed.
            ModelError: The model does not write text.
        """
        try:
            from lm_eval import evaluator
            from lm_eval.models.huggingface import HFLM
        except ModuleNotFoundError as error:
            raise MissingPackage(
                f"{self.name!r} needs the package {error.name!r}, which is not installed",
                where="evaluate.benchmarks",
                fix="pip install 'tuneloop[eval]'",
            ) from error
        from tuneloop.models.merge import merged

        if not hasattr(loaded.model, "generate"):
            raise ModelError(
                "the harness asks models that write text", where="evaluate.benchmarks", fix="leave benchmarks out"
            )
        with _quietly(), _offline(self.offline):
            model = HFLM(pretrained=merged(loaded.model), tokenizer=loaded.tokenizer.hf, batch_size=self.batch_size)
            try:
                found = evaluator.simple_evaluate(
                    model,
                    tasks=[self._task(task, folder) for task in self.tasks],
                    task_manager=self._manager(folder),
                    num_fewshot=self.num_fewshot,
                    limit=self.limit,
                    apply_chat_template=self.apply_chat_template,
                    log_samples=False,
                    random_seed=seed,
                    numpy_random_seed=seed,
                    torch_random_seed=seed,
                    fewshot_random_seed=seed,
                )
            except UNREADABLE as error:
                raise DataError(
                    f"the harness cannot ask {', '.join(self.tasks)}: {type(error).__name__}: {error}",
                    where="evaluate.benchmarks.lm_eval",
                    fix="see that the tasks are there (lm-eval ls tasks), and that their data are on this machine",
                ) from error
        return list(_figures(found))

    def files(self, folder: Path) -> list[Path]:
        """The YAML files of tasks of one's own, and the data beside them."""
        own = [folder / task for task in self.tasks if (folder / task).is_file()]
        beside = sorted((folder / self.include_path).rglob("*")) if self.include_path else []
        return own + [path for path in beside if path.is_file()]

    def _task(self, task: str, folder: Path) -> str:
        return str(folder / task) if (folder / task).is_file() else task

    def _manager(self, folder: Path) -> Any:
        """Reads the harness's own ten thousand tasks only where one of them is asked for."""
        from lm_eval.tasks import TaskManager

        path = str(folder / self.include_path) if self.include_path else None
        manager = TaskManager(include_path=path, include_defaults=False)
        known = all((folder / task).is_file() or task in manager.all_tasks for task in self.tasks)
        return manager if known else TaskManager(include_path=path)


def _figures(found: Mapping[str, Any]) -> Iterator[Benchmarked]:
    """Every figure of every task: the harness writes them as ``metric,filter`` beside ``metric_stderr,filter``."""
    for task, told in found["results"].items():
        asked = found.get("n-samples", {}).get(task, {}).get("effective", 0)
        better = found.get("higher_is_better", {}).get(task, {})
        for name, value in told.items():
            metric, _, kind = name.partition(",")
            if not kind or metric.endswith("_stderr") or not isinstance(value, int | float):
                continue
            error = told.get(f"{metric}_stderr,{kind}")
            shown = metric if kind == "none" else f"{metric},{kind}"
            sound = float(error) if isinstance(error, int | float) else None
            yield Benchmarked(task, shown, float(value), sound, int(asked), better.get(metric))


@contextmanager
def _offline(offline: bool) -> Iterator[None]:
    """Keep ``datasets`` from the network; its switch is read when it is imported, so it is set where it was read to."""
    import datasets
    from huggingface_hub import constants

    before = constants.HF_HUB_OFFLINE, datasets.config.HF_HUB_OFFLINE
    if offline:
        constants.HF_HUB_OFFLINE = datasets.config.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE, datasets.config.HF_HUB_OFFLINE = before


@contextmanager
def _quietly() -> Iterator[None]:
    """Keep the harness from the terminal; its errors still come as exceptions."""
    logger = logging.getLogger("lm_eval")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with redirect_stdout(StringIO()):
            yield
    finally:
        logger.setLevel(before)
