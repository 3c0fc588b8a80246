"""Small transforms for tests, in a module that worker processes can import."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar, final

from pydantic import PrivateAttr

from tuneloop.data.contents import changed, texts
from tuneloop.data.transforms import Transform
from tuneloop.errors import DataError
from tuneloop.rows import Drop, Record

SECRET = "SECRET"


class _Toy(Transform):
    rowwise: ClassVar[bool] = True

    @property
    def name(self) -> str:
        return type(self).__name__.lower()

    def run(self, records: Iterable[Record]) -> Iterator[Record | Drop]:
        for record in records:
            yield self.one(record)

    def one(self, record: Record) -> Record | Drop:
        raise NotImplementedError


@final
class Louder(_Toy):
    """Writes texts in capitals, sets aside those about the number 7, and counts the others."""

    def one(self, record: Record) -> Record | Drop:
        if any("7" in text for text in texts(record.content)):
            return Drop("about 7", self.name, record.origin, id=record.id)
        self.tally["heard"] += 1
        return record.having(changed(record.content, str.upper))


@final
class Hiding(_Toy):
    """Takes a word out of rows for good."""

    def one(self, record: Record) -> Record | Drop:
        content = changed(record.content, self.hide)
        meta = {name: self._plain(value) for name, value in record.meta.items()}
        return Record.of(content, origin=record.origin, meta=meta)

    def hide(self, text: str) -> str:
        return text.replace(SECRET, "*").replace(SECRET.lower(), "*")

    def _plain(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {self.hide(name): self._plain(inner) for name, inner in value.items()}
        return self.hide(value) if isinstance(value, str) else value


@final
class Quoting(Transform):
    """Sees all rows first, and speaks of them in drops and in what it found."""

    _heard: list[str] = PrivateAttr(default_factory=list)

    def run(self, records: Iterable[Record]) -> Iterator[Record | Drop]:
        for record in list(records):
            said = next(iter(texts(record.content)))
            self._heard.append(said)
            yield Drop(f"says {said[-6:]}", self.name, record.origin, said) if "quote" in said else record

    def found(self) -> dict[str, Any]:
        return {"heard": self._heard[:5], "by word": {self._heard[0]: 1}}


@final
class Failing(_Toy):
    """Fails at a row."""

    how: str

    def one(self, record: Record) -> Record | Drop:
        said = next(iter(texts(record.content)))
        if "fail" not in said:
            return record
        if self.how == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.how == "own":
            raise DataError(f"a bad row: {said}", where=record.origin, fix="mend it")
        if self.how == "odd":
            raise Odd(1, 2)
        raise ZeroDivisionError("by nothing")


class Odd(Exception):
    """An exception that cannot be made again from what it says."""

    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"odd: {one + two}")


@final
class Looking(_Toy):
    """Counts the processes it works in, and looks for what they must not load."""

    def one(self, record: Record) -> Record | Drop:
        self.tally.update({"torch", "transformers", "pyarrow"} & sys.modules.keys())
        self.tally[f"process {os.getpid()}"] += 1
        return record


@final
class Stuck(_Toy):
    """Cannot be sent to another process."""

    _held: Any = PrivateAttr(default_factory=lambda: lambda: None)

    def one(self, record: Record) -> Record | Drop:
        self.tally[f"process {os.getpid()}"] += 1
        return record


@final
class KilledOnce(_Toy):
    """Kills the process that works on a row about failing, the first time only."""

    mark: str

    def one(self, record: Record) -> Record | Drop:
        if "fail" in next(iter(texts(record.content))):
            try:
                os.close(os.open(self.mark, os.O_CREAT | os.O_EXCL))
            except FileExistsError:
                return record
            os.kill(os.getpid(), signal.SIGKILL)
        return record


@final
class Keyed(_Toy):
    """Takes a secret from the machine it works on: here, whether it is the one that gave out the work."""

    home: int

    def one(self, record: Record) -> Record | Drop:
        return record

    def stamp(self) -> str:
        return f"{os.getpid() == self.home}".ljust(40)
