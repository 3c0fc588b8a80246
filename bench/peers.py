"""Makes the environments of the peers: one virtual environment each, so that no peer decides another's versions.

python -m bench.peers                # what is not there yet, into the cache folder of the benchmarks
python -m bench.peers --only litgpt  # one of them
"""

from __future__ import annotations

import argparse
import subprocess
import venv
from dataclasses import dataclass
from pathlib import Path

from bench import report

CONSTRAINTS = Path(__file__).parents[1] / "constraints.txt"
TORCH = "torch==2.13.0"


@dataclass(frozen=True)
class Peer:
    """What is installed for a peer.

    Attributes:
        needs: Requirements, with what they need in turn.
        alone: Requirements without what they ask for, since that brings a web interface, or builds for GPUs.
        constrained: Take our own versions where both need the same package.
    """

    needs: tuple[str, ...]
    alone: tuple[str, ...] = ()
    constrained: bool = False

    @property
    def text(self) -> str:
        """What an environment is known by."""
        return "\n".join((*self.needs, *self.alone)) + "\n"


PEERS = {
    "trl": Peer(("trl==1.16.0", "peft", "datasets", TORCH), constrained=True),
    "datatrove": Peer(("datatrove[processing,io]==0.10.1", "spacy", "py3langid==0.4.0")),
    "plain": Peer(("datasets", "datasketch==2.0.0", "py3langid==0.4.0"), constrained=True),
    # Its own pins; not gradio, modelscope, av, torchvision and torchaudio, which training on text never uses.
    "llamafactory": Peer(
        (
            TORCH,
            "transformers==5.6.0",
            "peft==0.18.1",
            "accelerate==1.11.0",
            "trl==0.24.0",
            "datasets==4.0.0",
            "torchdata==0.11.0",
            "omegaconf",
            "fire",
            "tyro<0.9",
            "matplotlib",
            "pandas",
            "pydantic",
            "einops",
            "scipy",
            "sentencepiece",
            "tiktoken",
            "protobuf",
        ),
        ("llamafactory==0.9.5",),
    ),
    "litgpt": Peer(("litgpt==0.5.13", TORCH, "requests")),
    # Not bitsandbytes, xformers and torchvision: 16-bit weights, text, and no GPU where these environments are for.
    "unsloth": Peer(
        (
            TORCH,
            "transformers==5.17.0",
            "trl==1.15.0",
            "peft==0.21.2",
            "datasets>=4.6,<5",
            "accelerate",
            "torchao==0.18.0",
            "cut_cross_entropy",
            "triton",
            "diffusers",
            "sentencepiece",
            "protobuf",
            "tyro",
            "hf_transfer",
            "einops",
            "msgspec",
            "pillow",
            "structlog",
            "nest-asyncio",
            "json5",
            "typer",
            "wheel",
        ),
        ("unsloth==2026.10.9", "unsloth_zoo==2026.10.9"),
    ),
}


def default_folder() -> Path:
    """Where the environments are, unless another folder is given."""
    return report.cache() / "peers"


def python_of(folder: Path, peer: str) -> Path | None:
    """The interpreter of a peer's environment; None where there is none, or one with other packages."""
    path, ready = folder / peer / "bin" / "python", folder / peer / "ready"
    made = ready.exists() and ready.read_text(encoding="utf-8") == PEERS[peer].text
    return path if made and path.exists() else None


def make(folder: Path, peer: str) -> None:
    """Make a peer's environment.

    Raises:
        subprocess.CalledProcessError: A package cannot be installed.
    """
    report.said(f"making the environment of {peer} in {folder / peer}")
    asked = PEERS[peer]
    venv.create(folder / peer, with_pip=True, clear=True)
    pip = [str(folder / peer / "bin" / "python"), "-m", "pip", "install", "--quiet"]
    versions = ["--constraint", str(CONSTRAINTS)] if asked.constrained else []
    subprocess.run([*pip, *versions, *asked.needs], check=True)
    if asked.alone:
        subprocess.run([*pip, "--no-deps", *asked.alone], check=True)
    (folder / peer / "ready").write_text(asked.text, encoding="utf-8")


def main(arguments: list[str] | None = None) -> None:
    """Make what is not there yet; a peer that cannot be installed leaves the others alone."""
    parser = argparse.ArgumentParser(description="Make the environments of the peers.")
    parser.add_argument("--peers", type=Path, default=default_folder(), metavar="DIR")
    parser.add_argument("--only", choices=list(PEERS), nargs="+", default=list(PEERS))
    given = parser.parse_args(arguments)
    for peer in given.only:
        if python_of(given.peers, peer) is None:
            try:
                make(given.peers, peer)
            except subprocess.CalledProcessError as error:
                report.said(f"{peer}: cannot be installed here ({error}); the benchmark goes without it")
        report.said(f"{peer}: {python_of(given.peers, peer)}")


if __name__ == "__main__":
    main()
