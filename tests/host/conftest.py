"""A real ComfyUI server with the pack in it, on the CPU."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from functools import cache
from pathlib import Path

import pytest

from tests.conftest import ROOT

SECONDS_TO_START = 120


def host_folder() -> Path:
    """The ComfyUI checkout."""
    path = os.environ.get("COMFYUI_PATH")
    if not path:
        pytest.fail("set COMFYUI_PATH to a ComfyUI checkout (CONTRIBUTING.md)")
    return Path(path).resolve()


def host_python() -> str:
    """The Python that ComfyUI is installed in: COMFYUI_PYTHON, or its own venv, or this one."""
    folder = host_folder()
    named = [os.environ.get("COMFYUI_PYTHON"), folder / ".venv" / "bin" / "python", folder / "venv" / "bin" / "python"]
    return next((str(path) for path in named if path and Path(path).exists()), sys.executable)


@cache
def finds_points() -> bool:
    """Whether that Python has MediaPipe, which the workflows of face motion need."""
    program = "import importlib.util, sys; sys.exit(importlib.util.find_spec('mediapipe') is None)"
    return not subprocess.run([host_python(), "-c", program]).returncode


def knows(option: str) -> bool:
    """Whether this ComfyUI has a command-line option."""
    return f'"{option}"' in (host_folder() / "comfy" / "cli_args.py").read_text()


class Host:
    """A running server."""

    def __init__(self, base: Path, *options: str, **environment: str) -> None:
        self.base = base
        for name in ("custom_nodes", "input", "models"):
            (base / name).mkdir(parents=True, exist_ok=True)
        link = base / "custom_nodes" / "ComfyUI-EMO"
        if not link.exists():
            link.symlink_to(ROOT, target_is_directory=True)
        for path in (ROOT / "assets").iterdir():
            if path.suffix != ".md":
                shutil.copy(path, base / "input")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self.log = base / "server.log"
        arguments = ["--cpu", "--port", str(port), "--disable-auto-launch", "--base-directory", str(base)]
        arguments += ["--database-url", "sqlite:///:memory:", "--disable-api-nodes", *options]
        with self.log.open("w") as stream:
            self.process = subprocess.Popen(
                [host_python(), "main.py", *arguments],
                cwd=host_folder(),
                env={**os.environ, **environment},
                stdout=stream,
                stderr=subprocess.STDOUT,
            )
        self._wait_until_up()

    def _wait_until_up(self) -> None:
        end = time.monotonic() + SECONDS_TO_START
        while time.monotonic() < end:
            assert self.process.poll() is None, self.log.read_text()
            try:
                self.get("/queue")
                return
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.3)
        self.stop()
        raise AssertionError(f"the server did not start:\n{self.log.read_text()}")

    def get(self, path):
        with urllib.request.urlopen(self.url + path, timeout=60) as answer:
            text = answer.read().decode()
        return json.loads(text) if text[:1] in "{[" else text

    def post(self, path, content):
        """Status and JSON (or nothing)."""
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(self.url + path, json.dumps(content).encode(), headers)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                status, text = answer.status, answer.read()
        except urllib.error.HTTPError as error:
            status, text = error.code, error.read()
        return status, json.loads(text) if text[:1] == b"{" else None

    def queue(self, prompt, client="tests"):
        """Queue a valid prompt, and return its id."""
        status, answer = self.post("/prompt", {"prompt": prompt, "client_id": client})
        assert status == 200, answer
        assert not answer["node_errors"], answer
        return answer["prompt_id"]

    def wait(self, prompt_id, seconds=300):
        """Its history entry."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            history = self.get(f"/history/{prompt_id}")
            if prompt_id in history:
                return history[prompt_id]
            time.sleep(0.05)
        raise AssertionError(f"prompt {prompt_id} did not end in {seconds} s:\n{self.log.read_text()[-3000:]}")

    def run(self, prompt):
        """Queue a prompt, wait for its success, and return the history entry."""
        entry = self.wait(self.queue(prompt))
        assert entry["status"]["status_str"] == "success", (
            messages(entry).get("execution_error", {}).get("exception_message")
        )
        return entry

    def cancel(self):
        self.post("/interrupt", {})

    def free(self):
        """Drop models and results, as the button "Unload Models and Execution Cache" does."""
        status, _ = self.post("/free", {"unload_models": True, "free_memory": True})
        assert status == 200
        # The server frees between two prompts.
        self.run({"1": {"class_type": "EmptyImage", "inputs": {"width": 8, "height": 8, "batch_size": 1, "color": 0}},
                  "2": {"class_type": "PreviewImage", "inputs": {"images": ["1", 0]}}})  # fmt: skip

    def memory(self):
        """Resident bytes of the server."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) * 1024

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=30)


def messages(entry):
    """The host's messages for a prompt: the last of each kind."""
    return dict(entry["status"]["messages"])


def videos(host, entry):
    """Files of the videos that a prompt saved."""
    items = [item for node in entry["outputs"].values() for item in node.get("images", [])]
    return [host.base / "output" / i["subfolder"] / i["filename"] for i in items if i["filename"].endswith(".mp4")]


def workflow(name, **changes):
    """An API workflow with changed widgets: a change applies to every node that has a widget of that name."""
    prompt = json.loads((ROOT / "workflows" / "api" / f"{name}.json").read_text())
    for node in prompt.values():
        widgets = {key for key, value in node["inputs"].items() if not isinstance(value, list)}
        node["inputs"] |= {key: value for key, value in changes.items() if key in widgets}
    return prompt


@pytest.fixture(scope="session")
def host(tmp_path_factory):
    """One server for all tests."""
    server = Host(tmp_path_factory.mktemp("host"), "--preview-method", "auto")
    yield server
    server.stop()
