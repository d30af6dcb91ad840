"""Many jobs on several servers, some of them with faults."""

import pytest

from tests.client.server import FakeServer

SIX = "My blur.radius\n" + "".join(f"{i}\n" for i in range(6))


def kinds(events):
    return [event["event"] for event in events if event["event"] != "progress"]


def test_results_of_equal_names_from_two_servers_are_all_kept(queue, results, table):
    """Every server counts its files from 1."""
    with FakeServer() as one, FakeServer() as other:
        code, events, _ = queue("--server", one.url, "--server", other.url, *table(SIX))
    assert code == 0
    assert kinds(events).count("done") == 6
    assert len(results()) == 6
    assert not [name for name in results() if name.endswith(".part")]
    assert len(one.prompts) + len(other.prompts) == 6


def test_the_job_of_a_lost_server_runs_on_another(queue, results, table, tmp_path):
    """Each name appears once."""
    for name in "ab":
        (tmp_path / f"{name}.png").write_bytes(name.encode())
    rows = "".join(f"job{i},{'ab'[i % 2]}.png,{i}\n" for i in range(6))
    with FakeServer() as good, FakeServer(dies_after=1) as bad:
        options = ["--server", bad.url, "--server", good.url, *table(f"name,image,My blur.radius\n{rows}")]
        code, events, _ = queue(*options)
    assert code == 0
    assert results() == [f"job{i}.png" for i in range(6)]
    assert [event["server"] for event in events if event["event"] == "server lost"] == [bad.url]
    assert len(bad.prompts) == 2
    sent = [*good.prompts.values(), *bad.prompts.values()]
    assert {prompt["2"]["inputs"]["radius"] for prompt in sent} == set(range(6))


def test_all_jobs_fail_if_all_servers_are_lost(queue, table):
    with FakeServer(dies_after=0) as one, FakeServer(dies_after=0) as other:
        code, events, text = queue("--server", one.url, "--server", other.url, "--patience", "0.5", *table(SIX))
    assert code == 3
    assert kinds(events).count("failed") == 6
    assert "cannot be reached" in text


def test_a_short_silence_of_the_server_loses_no_job(queue, results):
    with FakeServer(silent=1.0) as server, FakeServer() as other:
        code, events, _ = queue("--server", server.url)
    assert (code, kinds(events)) == (0, ["queued", "done"])
    assert len(server.prompts) == 1
    assert other.prompts == {}


@pytest.mark.parametrize("trouble", [{"cut_downloads": 2}, {"overloaded": 2}], ids=["download", "schemas"])
def test_short_failures_are_retried(queue, results, table, trouble):
    """Every job runs once, and no part of a broken download is left."""
    with FakeServer(**trouble) as server:
        code, events, _ = queue("--server", server.url, *table(SIX))
    assert (code, kinds(events).count("done")) == (0, 6)
    assert len(server.prompts) == len(results()) == 6
    assert not [name for name in results() if name.endswith(".part")]


def test_a_forgotten_prompt_is_queued_again(queue, results):
    """The server was restarted, or its queue cleared."""
    with FakeServer(forgets=1) as server:
        code, events, _ = queue("--server", server.url)
    assert (code, kinds(events)) == (0, ["queued", "forgotten", "queued", "done"])
    with FakeServer(forgets=99) as server:
        assert queue("--server", server.url)[0] == 3
    assert len(server.prompts) == 3


@pytest.mark.parametrize("trouble", [{"refused_upload": b"2"}, {"missing_result": 2}], ids=["upload", "download"])
def test_a_wrong_answer_fails_the_job_and_keeps_the_server(queue, table, tmp_path, trouble):
    for i in range(1, 6):
        (tmp_path / f"{i}.png").write_bytes(str(i).encode())
    with FakeServer(**trouble) as server:
        code, events, text = queue(
            "--server", server.url, *table("image\n" + "".join(f"{i}.png\n" for i in range(1, 6)))
        )
    assert code == 2
    assert "answered 4" in text
    assert [event["job"] for event in events if event["event"] == "failed"] == [2]
    assert kinds(events).count("done") == 4


def test_one_bad_job_does_not_stop_the_others(queue, results, table, tmp_path):
    (tmp_path / "a.png").write_bytes(b"a")
    with FakeServer() as server:
        rows = table(
            "name;image;My blur.radius\none;a.png;1\ntwo;;99\nthree;;\n"
        )  # Some spreadsheets write semicolons.
        code, events, text = queue("--server", server.url, *rows)
    assert code == 2
    assert "expected 0 .. 9" in text
    assert [event["job"] for event in events if event["event"] == "failed"] == [2]
    assert results() == ["one.png", "three.png"]


def test_different_files_of_one_name_are_all_uploaded(queue, table, tmp_path):
    for folder, content in (("a", b"one"), ("b", b"two")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "face.png").write_bytes(content)
    with FakeServer() as server:
        assert queue("--server", server.url, *table("image\na/face.png\nb/face.png\na/face.png\n"))[0] == 0
    sent = [server.uploads[prompt["1"]["inputs"]["image"]] for prompt in server.prompts.values()]
    assert sent == [b"one", b"two", b"one"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name\n", "has no jobs"),
        ("nam\nx\n", "column 'nam'"),
        ("image\ngone.png\n", "no file at"),
        ("name\n../evil\n", "'../evil' is not a file name"),
        ("name\n/evil\n", "is not a file name"),
        ("name\na:b\n", "is not a file name"),
        ("name,My blur.note\nx,a,b\n", "job 1 in"),
    ],
)
def test_wrong_tables_are_refused(queue, table, text, message):
    code, _, stderr = queue(*table(text))
    assert code == 2
    assert message in stderr


def test_a_table_in_another_encoding_is_refused(queue, table):
    code, _, stderr = queue(*table("name\nJörg\n", "cp1252"))
    assert code == 2
    assert "save it as CSV UTF-8" in stderr
