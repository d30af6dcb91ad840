"""`python -m emo_core queue` against servers that answer, refuse, fail and die."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from emo_core.__main__ import main
from tests.client.server import PROMPT, FakeServer
from tests.conftest import ROOT


@pytest.fixture
def workflow(tmp_path):
    path = tmp_path / "blur.json"
    path.write_text(json.dumps(PROMPT))
    return path


def queue(workflow, out, *options, capsys):
    """Exit code, events, what stands on stderr."""
    code = main(["queue", str(workflow), "--out", str(out), *options])
    text = capsys.readouterr()
    return code, [json.loads(line) for line in text.out.splitlines()], text.err


def test_a_job_from_upload_to_download(workflow, tmp_path, capsys):
    (tmp_path / "me.png").write_bytes(b"a face")
    with FakeServer() as server:
        options = ["--server", server.url, "--image", str(tmp_path / "me.png"), "--set", "My blur.radius=7"]
        code, events, _ = queue(workflow, tmp_path / "out", *options, "--set", "2.note=hello", capsys=capsys)
    assert code == 0
    assert server.uploads == {"me.png": b"a face"}
    sent = server.prompts[0]
    assert sent["1"]["inputs"]["image"] == "me.png"
    assert sent["2"]["inputs"] == {"image": ["1", 0], "radius": 7, "kind": "box", "seed": 1, "note": "hello"}
    assert [event["event"] for event in events] == ["queued", "progress", "done"]
    # Previews (type temp) are not results.
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["prompt-1.png"]
    assert (tmp_path / "out" / "prompt-1.png").stat().st_size == 12_000


def test_nothing_is_overwritten(workflow, tmp_path, capsys):
    for _ in range(2):
        with FakeServer() as server:
            assert queue(workflow, tmp_path / "out", "--server", server.url, capsys=capsys)[0] == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["prompt-1-2.png", "prompt-1.png"]


def test_without_a_websocket_polling_finds_the_end(workflow, tmp_path, capsys):
    with FakeServer(websocket=False) as server:
        code, events, _ = queue(workflow, tmp_path / "out", "--server", server.url, capsys=capsys)
    assert (code, [event["event"] for event in events]) == (0, ["queued", "done"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--set", "My blur.radus=3"], "no input 'radus' (did you mean 'radius'?)"),
        (["--set", "My blur.radius=99"], "radius: got 99; expected 0 .. 9"),
        (["--set", "My blur.radius=two"], "radius: got 'two'; expected a whole number"),
        (["--set", "My blur.kind=gaus"], "kind: got 'gaus' (did you mean 'gauss'?)"),
        (["--set", "My blur.image=3"], "expected a link to an output of type IMAGE"),
        (["--set", 'My blur.image=["9", 0]'], "linked to node 9, which is not there"),
        (["--set", 'My blur.image=["1", 1]'], "it takes IMAGE, and is linked to MASK of node 1 (Portrait)"),
        (["--set", 'My blur.image=["1", 2]'], "output 2 of node 1 (Portrait), which has 2"),
        (["--set", "Blurr.radius=3"], "no node is called 'Blurr'"),
        (["--set", "radius=3"], "expected NODE.INPUT=VALUE"),
        (["--image", "gone.png"], "no file at gone.png"),
        (["--audio", __file__], "the workflow's LoadAudio nodes are: none"),
    ],
)
def test_bad_input_is_found_before_it_is_sent(workflow, tmp_path, capsys, options, message):
    with FakeServer() as server:
        code, _, text = queue(workflow, tmp_path / "out", "--server", server.url, *options, capsys=capsys)
    assert code == 2
    assert message in text
    assert server.prompts == []


def test_a_workflow_must_be_one(tmp_path, capsys):
    for content, message in (("{", "is no JSON"), ('{"a": 1}', "is no ComfyUI workflow")):
        (tmp_path / "x.json").write_text(content)
        code, _, text = queue(tmp_path / "x.json", tmp_path, capsys=capsys)
        assert code == 2
        assert message in text


def test_a_missing_node_and_a_missing_input_are_named(tmp_path, capsys):
    prompt = json.loads(json.dumps(PROMPT))
    prompt["2"]["class_type"] = "Blurr"
    del prompt["3"]["inputs"]["filename_prefix"]
    (tmp_path / "x.json").write_text(json.dumps(prompt))
    with FakeServer() as server:
        code, _, text = queue(tmp_path / "x.json", tmp_path, "--server", server.url, capsys=capsys)
    assert code == 2
    assert "the server has no node 'Blurr' (did you mean 'Blur'?)" in text
    assert "input 'filename_prefix' is missing" in text


def test_a_200_with_node_errors_is_a_failure(workflow, tmp_path, capsys):
    errors = {"2": {"class_type": "Blur", "errors": [{"message": "no good", "details": "radius"}]}}
    with FakeServer(node_errors=errors) as server:
        code, _, text = queue(workflow, tmp_path / "out", "--server", server.url, capsys=capsys)
    assert code == 2
    assert "node 2 (Blur): no good: radius" in text
    assert server.cancelled == ["prompt-1"]


def test_a_node_that_fails(workflow, tmp_path, capsys):
    with FakeServer(fails=True) as server:
        code, _, text = queue(workflow, tmp_path / "out", "--server", server.url, capsys=capsys)
    assert code == 4
    assert "node 2 (Blur) failed: out of paint" in text


def test_no_server(workflow, tmp_path, capsys):
    code, _, text = queue(workflow, tmp_path, "--server", "http://127.0.0.1:9", capsys=capsys)
    assert code == 3
    assert "cannot be reached" in text


def table(tmp_path, rows):
    path = tmp_path / "jobs.csv"
    path.write_text("name,image,My blur.radius\n" + "".join(f"{row}\n" for row in rows))
    return path


def test_a_table_spread_over_servers_of_which_one_dies(workflow, tmp_path, capsys):
    """The dead server's job is done by another; each name appears once."""
    for name in "ab":
        (tmp_path / f"{name}.png").write_bytes(name.encode())
    jobs = table(tmp_path, [f"job{i},{'ab'[i % 2]}.png,{i}" for i in range(6)])
    with FakeServer() as good, FakeServer(dies_after=1) as bad:
        options = ["--server", bad.url, "--server", good.url, "--batch", str(jobs)]
        code, events, _ = queue(workflow, tmp_path / "out", *options, capsys=capsys)
    assert code == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [f"job{i}.png" for i in range(6)]
    assert [event["server"] for event in events if event["event"] == "server lost"] == [bad.url]
    assert len(bad.prompts) == 2
    assert {prompt["2"]["inputs"]["radius"] for prompt in good.prompts + bad.prompts} == set(range(6))


def test_one_bad_job_does_not_stop_the_others(workflow, tmp_path, capsys):
    (tmp_path / "a.png").write_bytes(b"a")
    jobs = table(tmp_path, ["one,a.png,1", "two,,99", "three,,"])
    with FakeServer() as server:
        code, events, text = queue(
            workflow, tmp_path / "out", "--server", server.url, "--batch", str(jobs), capsys=capsys
        )
    assert code == 2
    assert "expected 0 .. 9" in text
    assert [event["job"] for event in events if event["event"] == "failed"] == [2]
    assert sorted(path.stem for path in (tmp_path / "out").iterdir()) == ["one", "three"]


def test_a_table_must_fit(workflow, tmp_path, capsys):
    for content, message in (
        ("name\n", "has no jobs"),
        ("nam\nx\n", "column 'nam'"),
        ("image\ngone.png\n", "no file at"),
    ):
        (tmp_path / "jobs.csv").write_text(content)
        code, _, text = queue(workflow, tmp_path, "--batch", str(tmp_path / "jobs.csv"), capsys=capsys)
        assert code == 2
        assert message in text


@pytest.mark.skipif(os.name == "nt", reason="sends a POSIX signal")
def test_ctrl_c_interrupts_its_own_prompt(workflow, tmp_path):
    with FakeServer(seconds=60) as server:
        command = [
            sys.executable,
            "-m",
            "emo_core",
            "queue",
            str(workflow),
            "--server",
            server.url,
            "--out",
            str(tmp_path),
        ]
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        process.stdout.readline()  # queued
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        _, text = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "what was queued is interrupted" in text
    assert server.cancelled == ["prompt-1"]
