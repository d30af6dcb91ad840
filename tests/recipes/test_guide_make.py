"""The recipe of the guided network as one command."""

import subprocess
import sys
from pathlib import Path

from recipes.emo_mini.guide_make import FILE, steps
from tests.conftest import ROOT

WORK, INIT, DATA = Path("work"), Path("few.safetensors"), Path("data")


def test_each_step_reads_what_earlier_ones_wrote():
    written = {INIT, DATA}
    for step in steps(DATA, INIT, WORK, 1.0):
        out = step.command[step.command.index("--out") + 1]
        assert step.result == Path(out) or step.result.parent == Path(out)
        read = [Path(part) for part in step.command if part.endswith(".safetensors") and part != out]
        assert set(read) <= written, step
        written.add(step.result)
    assert step.result.name == FILE


def test_the_command_prints_its_steps(tmp_path):
    made = tmp_path / "clips-0.safetensors"
    made.touch()
    done = subprocess.run(
        [sys.executable, "-m", "recipes.emo_mini.guide_make", "--data", "d", "--init", "i", "--work", str(tmp_path),
         "--out", str(tmp_path / "o"), "--dry-run"], cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    lines = done.stdout.splitlines()
    assert len(lines) == 5
    assert [line.startswith("done: ") for line in lines] == [True] + 4 * [False]
    assert not (tmp_path / "o").exists()
