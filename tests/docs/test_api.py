"""The story of ``docs/api.md`` runs as it stands there, and leaves out no public name."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import tuneloop
from tuneloop import embedded

PAGE = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("name", tuneloop.__all__)
def test_every_public_name_is_used_in_the_story(name: str) -> None:
    assert any(re.search(rf"\btuneloop\.{name}\(", block) for block in BLOCKS) or name == "Recipe"
    assert f"[`{name}`](#" in PAGE


@pytest.mark.slow
def test_the_story_runs_from_the_first_block_to_the_last(tmp_path: Path) -> None:
    if not (embedded.base() / "config.json").is_file():
        pytest.skip("the embedded base is not there")
    story = tmp_path / "story.py"
    story.write_text("\n".join(BLOCKS), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(story)],
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "sums lora 6" in done.stdout
    assert "exchange:chatcmpl-" in done.stdout
    assert "['release', 'model'" in done.stdout
