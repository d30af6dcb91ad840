"""The `queue` command, run in this process."""

import json

import pytest

from emo_core.__main__ import main
from emo_core.client import follow, server
from tests.client.server import PROMPT


@pytest.fixture(autouse=True)
def quick_polls(monkeypatch):
    """Shorter waits in tests."""
    monkeypatch.setattr(server, "POLL_SECONDS", 0.1)
    monkeypatch.setattr(server, "LAST_MESSAGE_SECONDS", 0.3)
    monkeypatch.setattr(follow, "RECONNECT_SECONDS", 0.1)


@pytest.fixture
def workflow(tmp_path):
    path = tmp_path / "blur.json"
    path.write_text(json.dumps(PROMPT))
    return path


@pytest.fixture
def queue(workflow, tmp_path, capsys):
    """Runs `queue`; gives exit code, events and stderr."""

    def run(*options, template=workflow):
        code = main(["queue", str(template), "--out", str(tmp_path / "out"), "--patience", "3", *options])
        text = capsys.readouterr()
        return code, [json.loads(line) for line in text.out.splitlines()], text.err

    return run


@pytest.fixture
def results(tmp_path):
    """Names of the downloaded files."""
    return lambda: sorted(path.name for path in (tmp_path / "out").iterdir())


@pytest.fixture
def table(tmp_path):
    """Writes a table of jobs; gives its options."""

    def write(text, encoding="utf-8"):
        (tmp_path / "jobs.csv").write_text(text, encoding=encoding)
        return ["--batch", str(tmp_path / "jobs.csv")]

    return write
