"""OpenAI batch: the answers of a batch, each beside its request."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, final

import msgspec

from tuneloop.data.readers import Raw, Reader
from tuneloop.data.readers.jsonl import Jsonl
from tuneloop.errors import DataError
from tuneloop.store.digest import of_file, of_value


@final
class OpenaiBatch(Reader):
    """Reads the output file of OpenAI's batch API, and for each answer the request with its ``custom_id``."""

    requests: str
    """The batch's input file, relative to the output file's folder."""

    def rows(self, path: Path) -> Iterator[Raw]:
        """Give each answer with its request; one without, or named twice, is given with that problem."""
        asked = self._asked(path)
        lines = Jsonl()
        seen: set[str] = set()
        for raw in lines.rows(path):
            if raw.row is None:
                yield raw
                continue
            name = str(raw.row.get("custom_id"))
            if name not in asked:
                yield raw._replace(row=None, problem="no request has its custom_id")
            elif name in seen:
                yield raw._replace(row=None, problem="another answer has the same custom_id")
            else:
                request = self._request(path, *asked[name])
                yield raw._replace(row={**raw.row, "request": request})
            seen.add(name)

    def digest(self, path: Path) -> str:
        """Of both files."""
        requests = self._requests(path)
        return of_value([of_file(path), of_file(requests)])

    def _requests(self, path: Path) -> Path:
        requests = path.parent / Path(self.requests).expanduser()
        if not requests.is_file():
            raise DataError(
                f"there is no file of requests {self.requests!r}",
                where=str(requests),
                fix="name the batch's input file, from the output file on: reader: {openai_batch: {requests: FILE}}",
            )
        return requests

    def _asked(self, path: Path) -> dict[str, tuple[int, int]]:
        """Where the request of each ``custom_id`` stands: its first byte and its length."""
        found: dict[str, tuple[int, int]] = {}
        with self._requests(path).open("rb") as file:
            start = 0
            for line in file:
                try:
                    row: Any = msgspec.json.decode(line)
                except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                    row = None  # the answer to it will have no request, and says so
                if isinstance(row, dict) and "custom_id" in row:
                    found.setdefault(str(row["custom_id"]), (start, len(line)))
                start += len(line)
        return found

    def _request(self, path: Path, start: int, length: int) -> Any:
        with self._requests(path).open("rb") as file:
            file.seek(start)
            return msgspec.json.decode(file.read(length)).get("body")
