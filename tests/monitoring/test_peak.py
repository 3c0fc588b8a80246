"""The peak of a process is its own."""

from __future__ import annotations

import subprocess
import sys

from tuneloop.monitoring.peak import peak_bytes

ASK = "from tuneloop.monitoring.peak import peak_bytes; print(peak_bytes())"


def test_the_memory_of_the_process_that_started_it_does_not_count() -> None:
    ballast = bytearray(400_000_000)
    ballast[::4096] = b"x" * len(ballast[::4096])  # every page is really there
    child = subprocess.run([sys.executable, "-c", ASK], capture_output=True, text=True, check=True)
    assert int(child.stdout) < 200_000_000 < 400_000_000 < peak_bytes()
