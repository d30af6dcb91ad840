"""The client on a real server."""

import json
import signal
import subprocess
import sys
import time

import av
import pytest

from emo_core.__main__ import main
from tests.conftest import ROOT
from tests.host.conftest import host_python, messages, workflow

pytestmark = pytest.mark.host
CHAIN = "Motion Frame Chainer (EMO)"
QUICK = ["--set", f"{CHAIN}.steps=1", "--set", "Load Audio Wav2Vec (EMO).duration=0.6"]


@pytest.mark.parametrize("form", ["api", "ui"])
def test_a_job_is_uploaded_run_and_downloaded(host, tmp_path, capsys, form):
    (tmp_path / "uni jörg.png").write_bytes((ROOT / "assets" / "portrait.png").read_bytes())
    template = ROOT / "workflows" / ("api/talk.json" if form == "api" else "talk.json")
    options = [
        "--server",
        host.url,
        "--image",
        str(tmp_path / "uni jörg.png"),
        "--audio",
        str(ROOT / "assets" / "voice-2.wav"),
    ]
    code = main(
        [
            "queue",
            str(template),
            *options,
            *QUICK,
            "--set",
            f"{CHAIN}.mode=loop",
            "--set",
            f"{CHAIN}.seed={len(form)}",
            "--out",
            str(tmp_path / "out"),
        ]
    )
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert code == 0, events
    assert {"queued", "progress", "done"} <= {event["event"] for event in events}
    (path,) = (tmp_path / "out").iterdir()
    with av.open(str(path)) as container:
        assert container.streams.video[0].frames == 15


def test_a_table_runs_one_job_per_row(host, tmp_path, capsys):
    (tmp_path / "jobs.csv").write_text(f"name,{CHAIN}.seed\none,1\ntwo,2\n")
    options = ["--server", host.url, "--batch", str(tmp_path / "jobs.csv"), "--out", str(tmp_path / "out")]
    assert main(["queue", str(ROOT / "workflows" / "api" / "talk.json"), *options, *QUICK]) == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["one.mp4", "two.mp4"]


def test_an_unknown_input_is_refused_with_a_suggestion(host, tmp_path, capsys):
    options = ["--server", host.url, "--set", f"{CHAIN}.sede=1", "--out", str(tmp_path)]
    assert main(["queue", str(ROOT / "workflows" / "api" / "talk.json"), *options]) == 2
    assert "no input 'sede' (did you mean 'seed'?)" in capsys.readouterr().err


@pytest.mark.parametrize("waiting", [False, True], ids=["running", "waiting behind another's"])
def test_ctrl_c_cancels_only_its_own_prompt(host, tmp_path, waiting):
    mine = ["--set", f"{CHAIN}.seed=77", "--set", f"{CHAIN}.steps=100"]
    foreign = workflow("talk", seed=5, steps=3, duration=1.2)
    other = host.queue(foreign) if waiting else None
    command = [sys.executable, "-m", "emo_core", "queue", "workflows/api/talk.json", "--server", host.url, *mine]
    process = subprocess.Popen([*command, "--out", str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    prompt_id = json.loads(process.stdout.readline())["prompt_id"]
    time.sleep(1.0)
    if not waiting:
        other = host.queue(foreign)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert json.loads(out.splitlines()[-1])["event"] == "cancelled"
    assert host.wait(other)["status"]["status_str"] == "success"
    end = time.monotonic() + 20  # Within a step.
    while prompt_id in json.dumps(host.get("/queue")):
        assert time.monotonic() < end
        time.sleep(0.1)
    history = host.get(f"/history/{prompt_id}")
    assert prompt_id not in history or "execution_interrupted" in messages(history[prompt_id])


def test_installing_the_pack_changes_none_of_the_hosts_packages(host):
    """pip would install requirements.txt without touching these four."""
    command = [host_python(), "-m", "pip", "install", "--dry-run", "--quiet", "--report", "-", "--requirement"]
    done = subprocess.run([*command, str(ROOT / "requirements.txt")], capture_output=True, text=True, check=True)
    report = json.loads(done.stdout[done.stdout.index("{") :])
    changed = {item["metadata"]["name"].lower() for item in report["install"]}
    assert not changed & {"torch", "numpy", "transformers", "pillow"}, changed
