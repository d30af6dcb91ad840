"""`python -m emo_core queue` with one job: requests, results, refusals."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from tests.client.server import INFO, PROMPT, FakeServer
from tests.conftest import ROOT


def test_a_job_uploads_sets_inputs_and_downloads(queue, results, tmp_path):
    (tmp_path / "uni jörg.png").write_bytes(b"a face")
    with FakeServer() as server:
        options = ["--server", server.url, "--image", str(tmp_path / "uni jörg.png"), "--set", "My blur.radius=7"]
        code, events, _ = queue(
            *options, "--set", "2.note=1.50", "--set", "My blur.on=FALSE", "--set", "My blur.size=512"
        )
    assert code == 0
    name = next(iter(server.uploads))
    assert server.uploads[name] == b"a face"
    assert name.startswith("uni_jörg-")
    sent = next(iter(server.prompts.values()))
    assert sent["1"]["inputs"]["image"] == name
    inputs = {"image": ["1", 0], "radius": 7, "kind": "box", "seed": 1, "note": "1.50", "on": False, "size": 512}
    assert sent["2"]["inputs"] == inputs
    assert [event["event"] for event in events] == ["queued", "progress", "done"]
    # Previews (type temp) are not results.
    assert results() == ["x_00001_.png"]


def test_existing_results_are_kept(queue, results):
    for _ in range(2):
        with FakeServer() as server:
            assert queue("--server", server.url)[0] == 0
    assert results() == ["x_00001_-2.png", "x_00001_.png"]


def test_without_a_websocket_polling_finds_the_end(queue):
    with FakeServer(websocket=False) as server:
        code, events, _ = queue("--server", server.url)
    assert (code, [event["event"] for event in events]) == (0, ["queued", "done"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--set", "My blur.radus=3"], "no input 'radus' (did you mean 'radius'?)"),
        (["--set", "My blur.radius=99"], "radius: got 99; expected 0 .. 9"),
        (["--set", "My blur.radius=two"], "radius: got 'two'; expected a whole number"),
        (["--set", "My blur.radius=NaN"], "radius: got nan; expected a whole number"),
        (["--set", "My blur.on=maybe"], "on: got 'maybe'; expected true or false"),
        (["--set", "My blur.kind=gaus"], "kind: got 'gaus' (did you mean 'gauss'?)"),
        (["--set", "My blur.image=3"], "expected a link to an output of type IMAGE"),
        (["--set", 'My blur.image=["9", 0]'], "linked to node 9, which does not exist"),
        (["--set", 'My blur.image=["1", 1]'], "it takes IMAGE, and is linked to MASK of node 1 (Portrait)"),
        (["--set", 'My blur.image=["1", 2]'], "output 2 of node 1 (Portrait), which has 2"),
        (["--set", 'My blur.image=["1", null]'], "expected a link"),
        (["--set", "Blurr.radius=3"], "no node has the title 'Blurr'"),
        (["--set", "radius=3"], "expected NODE.INPUT"),
        (["--set", "My blur.radius"], "expected NODE.INPUT=VALUE"),
        (["--image", "gone.png"], "no file at gone.png"),
        (["--audio", __file__], "the workflow's LoadAudio nodes are: none"),
    ],
)
def test_bad_input_is_refused_before_it_is_sent(queue, options, message):
    with FakeServer() as server:
        code, _, text = queue("--server", server.url, *options)
    assert code == 2
    assert message in text
    assert server.prompts == {}


@pytest.mark.parametrize(
    ("node", "inputs"),
    [
        ("1", {"image": "pasted/image.png"}),
        ("1", {"image": "clipspace/painted-masked-1.png [input]"}),
        ("1", {"image": "earlier.png [output]"}),
        ("2", {"note": "", "points": {"__value__": [1, 2]}}),
        ("2", {"points": [[0, 0], [1, 1]]}),
        ("2", {"on": 1}),
        ("2", {"tint": "#ff0000", "curve": {"points": [[0, 0], [1, 1]]}}),
        ("2", {"control_after_generate": "fixed"}),
        ("1", {"image": "portrait.png", "upload": "image", "audioUI": ""}),
    ],
)
def test_exports_of_the_browser_are_accepted(queue, tmp_path, node, inputs):
    """Pasted and painted pictures and custom widgets. Widgets that only the browser uses are not sent."""
    prompt = json.loads(json.dumps(PROMPT))
    prompt[node]["inputs"] |= inputs
    (tmp_path / "x.json").write_text(json.dumps(prompt), encoding="utf-8-sig")
    with FakeServer() as server:
        code, _, text = queue("--server", server.url, template=tmp_path / "x.json")
    assert code == 0, text
    sent = next(iter(server.prompts.values()))[node]["inputs"]
    assert not {"control_after_generate", "upload", "audioUI"} & set(sent)


def test_unknown_inputs_need_allow_unknown(queue, tmp_path):
    prompt = json.loads(json.dumps(PROMPT))
    prompt["2"]["inputs"]["image_2"] = ["1", 0]
    (tmp_path / "x.json").write_text(json.dumps(prompt))
    with FakeServer() as server:
        assert queue("--server", server.url, template=tmp_path / "x.json")[0] == 2
        assert queue("--server", server.url, "--allow-unknown", template=tmp_path / "x.json")[0] == 0


def test_other_files_are_not_workflows(queue, tmp_path):
    for content, message in (
        ("{", "is not JSON"),
        ('{"a": 1}', "is not a ComfyUI workflow"),
        ("[]", "is not a ComfyUI"),
    ):
        (tmp_path / "x.json").write_text(content)
        code, _, text = queue(template=tmp_path / "x.json")
        assert code == 2
        assert message in text


def test_a_missing_node_and_a_missing_input_are_named(queue, tmp_path):
    prompt = json.loads(json.dumps(PROMPT))
    prompt["2"]["class_type"] = "Blurr"
    del prompt["3"]["inputs"]["filename_prefix"]
    (tmp_path / "x.json").write_text(json.dumps(prompt))
    with FakeServer() as server:
        code, _, text = queue("--server", server.url, template=tmp_path / "x.json")
    assert code == 2
    assert "the server has no node 'Blurr' (did you mean 'Blur'?)" in text
    assert "input 'filename_prefix' is missing" in text


def test_a_200_with_node_errors_is_a_failure(queue):
    errors = {"2": {"class_type": "Blur", "errors": [{"message": "no good", "details": "radius"}]}}
    with FakeServer(node_errors=errors) as server:
        code, _, text = queue("--server", server.url)
    assert code == 2
    assert "node 2 (Blur): no good: radius" in text
    assert server.interrupted == list(server.prompts)


def test_a_failed_node_is_exit_code_4(queue, tmp_path):
    with FakeServer(fails=True) as server:
        code, _, text = queue("--server", server.url)
    assert code == 4
    assert "node 2 (Blur) failed: out of paint" in text
    assert not (tmp_path / "out").exists()


def test_a_node_that_is_left_out_is_a_failure(queue):
    """The server reports such a prompt as a success."""
    with FakeServer(blocks=True) as server:
        code, events, text = queue("--server", server.url)
    assert code == 4
    assert [event["event"] for event in events if event["event"] != "progress"] == ["queued", "failed"]
    assert "node 3 (SaveImage) failed: Execution Blocked: no" in text


def test_nodes_without_an_output_are_not_checked(queue, tmp_path):
    """The server neither runs nor checks them, but refuses unknown ones."""
    prompt = json.loads(json.dumps(PROMPT)) | {"4": {"class_type": "Blur", "inputs": {"radius": 99}}}
    (tmp_path / "x.json").write_text(json.dumps(prompt))
    with FakeServer() as server:
        assert queue("--server", server.url, template=tmp_path / "x.json")[0] == 0
    prompt["4"]["class_type"] = "Blurr"
    (tmp_path / "x.json").write_text(json.dumps(prompt))
    with FakeServer() as server:
        assert queue("--server", server.url, template=tmp_path / "x.json")[0] == 2


def test_nothing_is_uploaded_before_all_is_checked(queue, tmp_path):
    (tmp_path / "me.png").write_bytes(b"me")
    with FakeServer() as server:
        code, _, _ = queue("--server", server.url, "--image", str(tmp_path / "me.png"), "--set", "My blur.radius=99")
    assert code == 2
    assert not server.uploads and not server.prompts


def test_sockets_of_any_type_take_every_link(queue, tmp_path, monkeypatch):
    """For instance the core node Switch."""
    any_type, info = "COMFY_MATCHTYPE_V3", dict(INFO)
    info["Switch"] = {
        "input": {"required": {"on": [any_type, {}], "switch": ["BOOLEAN", {}]}}, "output": [any_type], "display_name": "Switch"
    }  # fmt: skip
    monkeypatch.setattr("tests.client.server.INFO", info)
    prompt = json.loads(json.dumps(PROMPT))
    prompt["4"] = {"class_type": "Switch", "inputs": {"on": ["2", 0], "switch": True}}
    prompt["3"]["inputs"]["images"] = ["4", 0]
    (tmp_path / "x.json").write_text(json.dumps(prompt))
    with FakeServer() as server:
        assert queue("--server", server.url, template=tmp_path / "x.json")[0] == 0


def test_the_body_of_a_request_is_taken(queue, tmp_path):
    """Scripts save what they post."""
    (tmp_path / "x.json").write_text(json.dumps({"prompt": PROMPT, "client_id": "a", "extra_data": {}}))
    with FakeServer() as server:
        assert queue("--server", server.url, template=tmp_path / "x.json")[0] == 0
    assert len(server.prompts) == 1


@pytest.mark.parametrize(
    "websocket", [{"websocket": False}, {"drops_websocket": True}, {}], ids=["none", "lost", "whole"]
)
def test_a_run_without_a_result_is_not_done(queue, websocket):
    """The history reports a success."""
    with FakeServer(**websocket, leaves_out=("3",), seconds=0.6) as server:
        code, events, text = queue("--server", server.url)
    assert code == 4
    assert [event["event"] for event in events if event["event"] != "progress"] == ["queued", "failed"]
    assert "without a result of node 3 (SaveImage)" in text


def test_results_that_only_the_websocket_tells_of_are_fetched(queue, results):
    """Hosts without a cache have none in the history."""
    with FakeServer(empty_history=True) as server:
        assert queue("--server", server.url)[0] == 0
    assert results() == ["x_00001_.png"]


def test_a_lost_websocket_is_opened_again(queue):
    with FakeServer(drops_websocket=True, seconds=1.5) as server:
        code, events, _ = queue("--server", server.url)
    assert (code, events[-1]["event"]) == (0, "done")


def test_an_interrupted_prompt_is_exit_code_4(queue):
    with FakeServer(seconds=60) as server:
        server._loop.call_later(1.0, lambda: server._loop.create_task(stop(server)))
        code, _, text = queue("--server", server.url)
    assert code == 4
    assert "interrupted on the server" in text


async def stop(server):
    from tests.client.server import _entry

    for key in server.prompts:
        server.running.discard(key)
        server.history[key] = _entry([["execution_interrupted", {}]])


def test_no_server_is_exit_code_3(queue):
    code, _, text = queue("--server", "http://127.0.0.1:9")
    assert code == 3
    assert "cannot be reached" in text


@pytest.mark.skipif(os.name == "nt", reason="sends a POSIX signal")
@pytest.mark.parametrize("queued", [True, False], ids=["while it runs", "before the answer"])
def test_ctrl_c_cancels_its_own_prompt_only(workflow, tmp_path, queued):
    with FakeServer(seconds=60, slow_to_queue=0 if queued else 2) as server:
        command = [sys.executable, "-m", "emo_core", "queue", str(workflow), "--server", server.url]
        command += ["--out", str(tmp_path / "out")]
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if queued:
            process.stdout.readline()
        else:
            time.sleep(1.5)
        process.send_signal(signal.SIGINT)
        out, text = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "files of finished jobs are kept" in text
    assert json.loads(out.splitlines()[-1])["event"] == "cancelled"
    assert len(server.interrupted) == 1
    assert server.running == {"somebody else's"} or not queued
