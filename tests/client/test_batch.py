"""Many jobs on several servers, some of them with faults."""

from pathlib import Path

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
        ("name,\nx,b\n", "'b' is in a column without a name"),
        ("name,name\nx,y\n", "2 columns 'name'"),
        ("\n\n", "has no jobs"),
        ("name\ncon\n", "is not a file name"),
    ],
)
def test_wrong_tables_are_refused(queue, table, text, message):
    code, _, stderr = queue(*table(text))
    assert code == 2
    assert message in stderr


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffname,My blur.radius,,\r\none,7,,\r\n,,,\r\n",
        "\n\nname,My blur.radius\none,7\n",
        "name;My blur.radius\r\none;7\r\n",
        "name\tMy blur.radius\rone\t7\r",
        'name,"My blur.radius"\n"one",7',
    ],
    ids=["trailing columns", "empty first lines", "semicolons", "tabs and old line ends", "quotes"],
)
def test_tables_of_spreadsheets_are_read(queue, results, table, text):
    options = table("")
    Path(options[1]).write_bytes(text.encode())
    with FakeServer() as server:
        code, _, stderr = queue("--server", server.url, *options)
    assert code == 0, stderr
    assert [prompt["2"]["inputs"]["radius"] for prompt in server.prompts.values()] == [7]
    assert results() == ["one.png"]


@pytest.mark.parametrize("sign", "\u2028\u2029\x85\x0c\x1c")
def test_only_ends_of_lines_end_a_job(queue, table, sign):
    with FakeServer() as server:
        code, _, stderr = queue("--server", server.url, *table(f"My blur.note,My blur.radius\na{sign}b,7\n"))
    assert code == 0, stderr
    (prompt,) = server.prompts.values()
    assert (prompt["2"]["inputs"]["note"], prompt["2"]["inputs"]["radius"]) == (f"a{sign}b", 7)


def test_long_names_are_cut_between_characters_and_stay_different(queue, results, table):
    names = ["今天天气真好" * 12, "今天天气真好" * 12 + "吗", "a\u0301" * 90, "short"]
    with FakeServer() as server:
        code, _, stderr = queue("--server", server.url, *table("name\n" + "\n".join(names) + "\n"))
    assert code == 0, stderr
    assert len(set(results())) == 4
    assert "short.png" in results()
    assert all(len(name.encode()) <= 255 for name in results())
    stems = {name.rpartition("-")[0] for name in results() if "-" in name}
    assert {stem[:6] for stem in stems} == {"今天天气真好", "a\u0301" * 3}
    assert all(any(name.startswith(stem) for name in names) for stem in stems)
    assert not any(name.startswith(stem + "\u0301") for stem in stems for name in names)


def test_a_table_in_another_encoding_is_refused(queue, table):
    code, _, stderr = queue(*table("name\nJörg\n", "cp1252"))
    assert code == 2
    assert "save it as CSV UTF-8" in stderr
