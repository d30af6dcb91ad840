"""Workflows, tables and servers as people bring them: the rows of `../shared/cases/t2/README.md`."""

import json

import pytest

from tests.client.conftest import queue, quick_polls, results, table, workflow  # noqa: F401 -- fixtures
from tests.client.server import FakeServer
from tests.client.test_servers import LOGIN, TYPED
from tests.conftest import CASES, ROOT

CONTRACT = ROOT / "tests" / "contract"
TALK = ROOT / "workflows" / "api" / "talk.json"
CHAIN = "Motion Frame Chainer (EMO)"
SIX = f"{CHAIN}.seed\n" + "".join(f"{i}\n" for i in range(6))

pytestmark = pytest.mark.skipif(not CASES.is_dir(), reason="needs ../shared/cases/t2")


@pytest.fixture
def info():
    """The host's nodes and the pack's."""
    return {
        kind: node
        for name in ("host_nodes", "nodes")
        for kind, node in json.loads((CONTRACT / f"{name}.json").read_text()).items()
    }


@pytest.fixture
def server(info):
    with FakeServer(info=info) as running:
        yield running


def test_dangling(queue, server):  # noqa: F811
    code, _, text = queue("--server", server.url, template=CASES / "dangling.json")
    assert code == 2
    assert (
        "node 4 (Face Locator Mask (EMO)): input 'image' refers to link 2" in text
        or "node 4 (FaceLocatorMask): input 'image' refers to link 2" in text
    )
    assert server.prompts == {}


def test_bypassed(queue, server):  # noqa: F811
    code, _, text = queue("--server", server.url, template=CASES / "bypassed.json")
    assert code == 0, text
    (prompt,) = server.prompts.values()
    assert prompt["4"]["inputs"]["image"] == ["2", 0]
    assert "99" not in prompt


def test_body(queue, server):  # noqa: F811
    code, _, text = queue("--server", server.url, template=CASES / "body.json")
    assert code == 0, text
    assert list(server.prompts.values()) == [json.loads((CASES / "body.json").read_text())["prompt"]]


@pytest.mark.parametrize("name", ["trailing-columns", "blank-first-line", "line-separator", "long-name", "spreadsheet"])
def test_tables(queue, results, server, name):  # noqa: F811
    code, events, text = queue("--server", server.url, "--batch", str(CASES / f"{name}.csv"), template=TALK)
    assert code == 0, text
    assert [event["event"] for event in events if event["event"] != "progress"] == ["queued", "done"]
    (prompt,) = server.prompts.values()
    (chain,) = [node for node in prompt.values() if node["class_type"] == "MotionFrameChainer"]
    if name != "long-name":
        assert chain["inputs"]["seed"] == 7
    (file,) = results()
    expected = {"trailing-columns": "a", "blank-first-line": "a", "line-separator": "a b", "spreadsheet": "Jörg"}
    if name == "long-name":
        stem = file.removesuffix(".mp4").rpartition("-")[0]
        assert (CASES / "long-name.csv").read_text().splitlines()[1].startswith(stem)
        assert 150 < len(file.encode()) < 255
    else:
        assert file == f"{expected[name]}.mp4"


@pytest.mark.parametrize("wrong", ["401", "login page", "no pack"])
def test_one_of_two_servers_answers_wrongly(queue, results, table, server, info, wrong):  # noqa: F811
    ours = json.loads((CONTRACT / "nodes.json").read_text())
    trouble = {
        "401": {"refuses": 401},
        "login page": {"login_page": True},
        "no pack": {"info": {kind: node for kind, node in info.items() if kind not in ours}},
    }
    with FakeServer(**trouble[wrong]) as bad:
        code, events, text = queue("--server", bad.url, "--server", server.url, *table(SIX), template=TALK)
    assert code == 0, text
    assert len(server.prompts) == len(results()) == 6
    assert [event["event"] for event in events if event["server"] == bad.url] == ["server lost"]


def test_a_password_is_nowhere(queue, info):  # noqa: F811
    with FakeServer(info=info, login=LOGIN, root="/comfy") as server:
        address = server.url.replace("//", f"//{TYPED}@") + "/comfy"
        code, events, text = queue("--server", address, template=TALK)
        assert code == 0, text
        server.login = "somebody:else"
        refused, more, error = queue("--server", address, template=TALK)
    assert refused == 3
    assert "s3cr3t" not in json.dumps(events + more) + text + error


def test_an_address_without_http(queue, server):  # noqa: F811
    code, _, text = queue("--server", server.url.removeprefix("http://"), template=TALK)
    assert code == 0, text
