"""Servers that answer wrongly, and addresses with a user and a password."""

import copy
import json

import pytest

from emo_core.client.address import Address
from emo_core.errors import InputError
from tests.client.server import INFO, FakeServer
from tests.client.test_batch import SIX, kinds

LOGIN = "al1ce:s3cr3t@/?#"
TYPED = "al1ce:s3cr3t%40%2F%3F%23"


def without_pack():
    return {kind: info for kind, info in INFO.items() if kind != "Blur"}


def older():
    """A version without the input `kind`."""
    info = copy.deepcopy(INFO)
    del info["Blur"]["input"]["required"]["kind"]
    return info


@pytest.mark.parametrize(
    "trouble",
    [
        {"refuses": 401},
        {"refuses": 404},
        {"refuses": 500},
        {"login_page": True},
        {"info": without_pack()},
        {"info": older()},
        {"info": {}},
        {"info": []},
    ],
    ids=["401", "404", "500", "login page", "no pack", "old version", "no nodes", "other JSON"],
)
def test_a_wrong_server_is_dropped_and_named_once(queue, results, table, trouble):
    with FakeServer(**trouble) as bad, FakeServer() as good:
        code, events, text = queue("--server", bad.url, "--server", good.url, *table(SIX))
    assert code == 0, text
    assert kinds(events).count("done") == len(good.prompts) == len(results()) == 6
    assert [event["event"] for event in events if event["server"] == bad.url] == ["server lost"]
    assert json.dumps(events).count(bad.url) == 2  # The server, and the reason.
    assert bad.prompts == {}


def test_a_web_page_is_no_result(queue, results):
    """The login has expired while the prompt ran. Another server runs it again."""
    with FakeServer(page_for_results=True) as bad:
        code, _, text = queue("--server", bad.url)
        assert (code, "answered with a web page" in text) == (3, True)
        assert results() == []
        with FakeServer() as good:
            assert queue("--server", bad.url, "--server", good.url)[0] == 0
    assert results() == ["x_00001_.png"]


def test_several_wrong_servers_take_no_tries_from_a_job(queue, table):
    with FakeServer(refuses=401) as one, FakeServer(login_page=True) as two, FakeServer(info={}) as three:
        with FakeServer(refuses=403) as four, FakeServer(seconds=0.3) as good:
            servers = [part for server in (one, two, three, four, good) for part in ("--server", server.url)]
            code, events, text = queue(*servers, *table(SIX))
    assert code == 0, text
    assert (kinds(events).count("done"), kinds(events).count("server lost")) == (6, 4)


@pytest.mark.parametrize(
    ("trouble", "code", "message"),
    [
        ({"refuses": 401}, 3, "answered 401: go away"),
        ({"login_page": True}, 3, "did not answer with JSON; is it a ComfyUI server?"),
        ({"info": {"a": 1}}, 3, "answered with other JSON than ComfyUI"),
        ({"info": without_pack()}, 2, "the server has no node 'Blur'"),
        ({"info": older()}, 2, "no input 'kind'"),
    ],
)
def test_without_another_server_the_reason_is_the_error(queue, table, trouble, code, message):
    with FakeServer(**trouble) as one, FakeServer(**trouble) as other:
        found, events, text = queue("--server", one.url, "--server", other.url, *table(SIX))
    assert found == code
    assert message in text
    assert kinds(events).count("failed") == 6


def test_a_job_goes_to_the_server_that_has_its_file(queue, table):
    """Servers have different files. Both are used."""
    one_info, other_info = copy.deepcopy(INFO), copy.deepcopy(INFO)
    one_info["Blur"]["input"]["required"]["kind"][1]["options"] = ["box"]
    other_info["Blur"]["input"]["required"]["kind"][1]["options"] = ["gauss"]
    rows = "My blur.kind\n" + "box\ngauss\n" * 3
    with FakeServer(info=one_info) as one, FakeServer(info=other_info) as other:
        code, events, text = queue("--server", one.url, "--server", other.url, *table(rows))
    assert code == 0, text
    assert {prompt["2"]["inputs"]["kind"] for prompt in one.prompts.values()} == {"box"}
    assert {prompt["2"]["inputs"]["kind"] for prompt in other.prompts.values()} == {"gauss"}
    assert (len(one.prompts), len(other.prompts)) == (3, 3)
    assert "server lost" not in kinds(events)


@pytest.mark.parametrize("root", ["", "/comfy"])
def test_a_password_works_and_is_never_shown(queue, tmp_path, root):
    (tmp_path / "me.png").write_bytes(b"me")
    with FakeServer(login=LOGIN, root=root) as server:
        address = server.url.replace("//", f"//{TYPED}@") + root
        code, events, text = queue("--server", address, "--image", str(tmp_path / "me.png"))
    assert code == 0, text
    assert kinds(events) == ["queued", "done"]
    assert "progress" in [event["event"] for event in events]  # The websocket logs in, too.
    assert events[-1]["server"] == server.url + root
    shown = json.dumps(events) + text
    shown += "".join(path.read_text(errors="replace") for path in (tmp_path / "out").iterdir())
    assert "s3cr3t" not in shown and "al1ce" not in shown


@pytest.mark.parametrize(
    "trouble", [{}, {"login": "user:other"}, {"login_page": True}, {"info": {}}, {"dies_after": 0}]
)
def test_errors_show_no_password(queue, trouble):
    with FakeServer(**trouble) as server:
        server.dead = not trouble
        address = server.url.replace("//", f"//{TYPED}@")
        code, events, text = queue("--server", address, "--patience", "0.3")
    assert code == 3
    shown = json.dumps(events) + text
    assert "s3cr3t" not in shown and "al1ce" not in shown


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("127.0.0.1:8188", "http://127.0.0.1:8188"),
        ("localhost", "http://localhost"),
        (" http://host:1/comfy/ ", "http://host:1/comfy"),
        ("https://host", "https://host"),
        ("[::1]:8188", "http://[::1]:8188"),
        ("u:p@host:1", "http://host:1"),
        ("http://u:p@ss@host", "http://host"),
    ],
)
def test_addresses_need_no_scheme(text, url):
    address = Address.parse(text)
    assert address.url == url
    assert ("Authorization" in address.headers) == ("@" in text)
    assert "p@ss" not in repr(address)


@pytest.mark.parametrize(
    "text",
    ["", "http://", "ftp://u:s3cr3t@host", "http://u:s3cr3t/x@host", "http://u:1/s3cr3t@host", "u:s3cr3t@host:port",
     "http://u:s3cr3t#x@host", "http://u:s3cr3t?x@host", "http://host/?token=1", "http://[::1", "http://u:s3cr3t@host:99999"],
)  # fmt: skip
def test_wrong_addresses_are_refused_without_showing_a_password(queue, text):
    with pytest.raises(InputError) as error:
        Address.parse(text)
    assert "s3cr3t" not in str(error.value)
    code, _, stderr = queue("--server", text)
    assert code == 2
    assert "server: " in stderr and "s3cr3t" not in stderr


def test_a_missing_scheme_is_http(queue):
    with FakeServer() as server:
        assert queue("--server", server.url.removeprefix("http://"))[0] == 0
    assert len(server.prompts) == 1
