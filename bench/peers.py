"""Makes the environments of the peers: one virtual environment each, so that no peer decides another's versions.

python -m bench.peers            # into the cache folder of the benchmarks
python -m bench.peers --peers DIR
"""

from __future__ import annotations

import argparse
import subprocess
import venv
from pathlib import Path

from bench import report

REQUIREMENTS = {"trl": ["trl==1.16.0", "peft", "datasets"]}
CONSTRAINTS = Path(__file__).parents[1] / "constraints.txt"


def default_folder() -> Path:
    """Where the environments are, unless another folder is given."""
    return report.cache() / "peers"


def python_of(folder: Path, peer: str) -> Path | None:
    """The interpreter of a peer's environment; None where there is none."""
    path = folder / peer / "bin" / "python"
    return path if path.exists() and (folder / peer / "ready").exists() else None


def make(folder: Path, peer: str) -> None:
    """Make a peer's environment, with the versions of our own where both need the same package.

    Raises:
        subprocess.CalledProcessError: A package cannot be installed.
    """
    report.said(f"making the environment of {peer} in {folder / peer}")
    venv.create(folder / peer, with_pip=True, clear=True)
    pip = [str(folder / peer / "bin" / "python"), "-m", "pip", "install", "--quiet"]
    subprocess.run([*pip, "--constraint", str(CONSTRAINTS), *REQUIREMENTS[peer]], check=True)
    (folder / peer / "ready").write_text("\n".join(REQUIREMENTS[peer]) + "\n", encoding="utf-8")


def main(arguments: list[str] | None = None) -> None:
    """Make what is not there yet."""
    parser = argparse.ArgumentParser(description="Make the environments of the peers.")
    parser.add_argument("--peers", type=Path, default=default_folder(), metavar="DIR")
    folder: Path = parser.parse_args(arguments).peers
    for peer in REQUIREMENTS:
        if python_of(folder, peer) is None:
            make(folder, peer)
        report.said(f"{peer}: {python_of(folder, peer)}")


if __name__ == "__main__":
    main()
