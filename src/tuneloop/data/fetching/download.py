"""Download: a file that lies at an address, copied once into the store's cache."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from tuneloop.data.fetching.api import check
from tuneloop.data.fetching.client import Client, origin_of
from tuneloop.data.fetching.desk import Desk, Taken
from tuneloop.data.fetching.secrets import Secrets
from tuneloop.data.fetching.shelf import Shelf
from tuneloop.store.digest import of_value

LARGEST = 256 << 20
"""Most bytes of a file that is fetched this way."""


def download(address: str, desk: Desk) -> Taken:
    """Fetch a file, or find the copy that was fetched before.

    Args:
        address: Its address.
        desk: Where the work is done.

    Raises:
        DataError: The address holds a secret, or the server does not give the file.
        StoreError: The store cannot be written.
    """
    check(address)
    shelf = Shelf(desk.store, of_value([address, "file"]))
    with shelf.held():
        found = None if desk.refresh else shelf.snapshot()
        if found is None:
            desk.progress.start(f"fetching {address}")
            client = Client(origin_of(address), {}, Secrets(desk.folder), 2, 5, 300, LARGEST, desk.progress.note)
            body = client.get(address, lambda answer: answer.body)
            ending = "".join(Path(urlsplit(address).path).suffixes[-2:])
            found = shelf.put(body, ending, datetime.now(UTC).isoformat(timespec="seconds"), address)
    facts = {"fetched": found.fetched, "bytes": (shelf.folder / found.file).stat().st_size, "sha256": found.sha256}
    return Taken(shelf.folder / found.file, address, facts)
