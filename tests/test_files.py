"""Places that one command writes to at a time."""

import subprocess
import sys

import pytest

from emo_core.errors import InputError
from emo_core.files import locked

HOLD = """
import sys, time
from pathlib import Path
from emo_core.files import locked
with locked(Path(sys.argv[1]), "out"):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that writes to `place`."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path / "place")], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()


def test_a_second_command_is_told(holder, tmp_path):
    with (
        pytest.raises(InputError, match=r"out: another command is writing to .*place; wait until it is done"),
        locked(tmp_path / "place", "out"),
    ):
        pytest.fail("both wrote")
    with locked(tmp_path / "other", "out"):
        pass
    assert not list(tmp_path.iterdir())  # Nothing lies beside the user's files.


def test_a_killed_command_leaves_no_lock(holder, tmp_path):
    holder.kill()
    holder.wait()
    with locked(tmp_path / "place", "out"), locked(None, "out"):
        pass


def test_two_commands_with_one_out(holder, tmp_path, checkpoint, voice, capsys):
    """The second one ends before it touches anything."""
    from emo_core.__main__ import main

    given = ["--portrait", "assets/portrait.png", "--audio", str(voice), "--checkpoint", str(checkpoint)]
    (tmp_path / "place").write_text("of the first")
    assert main(["animate", *given, "--out", str(tmp_path / "place")]) == 2
    assert "another command is writing to" in capsys.readouterr().err
    assert (tmp_path / "place").read_text() == "of the first"
