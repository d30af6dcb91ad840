"""Nodes whose inputs depend on the choice of a menu, or on the number of links."""

import json

import pytest

from tests.client.server import INFO, PROMPT, FakeServer


def dynamic(monkeypatch, inputs):
    """A prompt with a node with dynamic inputs, and a server that has it."""
    image, info = ["IMAGE", {}], dict(INFO)
    grows = {"template": {"input": {"required": {"image": image}}, "prefix": "image", "min": 0, "max": 50}}
    crf = {"crf": ["INT", {"default": 23, "min": 0, "max": 51}]}
    codecs = {"options": [{"key": "auto", "inputs": {}}, {"key": "h264", "inputs": {"required": crf}}]}
    containers = {"mp4": {"required": {"codec": ["COMFY_DYNAMICCOMBO_V3", codecs]}}, "gif": {}}
    chosen = {"options": [{"key": key, "inputs": inputs} for key, inputs in containers.items()]}
    required = {"images": ["COMFY_AUTOGROW_V3", grows], "format": ["COMFY_DYNAMICCOMBO_V3", chosen], "a.b": image}
    slot = {"mask": ["COMFY_DYNAMICSLOT_V3", {"slotType": "MASK", "inputs": {}}]}
    info["Batch"] = {"input": {"required": required, "optional": slot}, "output": ["IMAGE"], "display_name": "Batch"}
    monkeypatch.setattr("tests.client.server.INFO", info)
    prompt = json.loads(json.dumps(PROMPT)) | {"4": {"class_type": "Batch", "inputs": {"a.b": ["1", 0], **inputs}}}
    prompt["3"]["inputs"]["images"] = ["4", 0]
    return prompt


@pytest.mark.parametrize(
    "inputs",
    [
        {"images.image0": ["1", 0], "images.image1": ["2", 0], "format": "mp4", "format.codec": "auto"},
        {"format": "mp4", "format.codec": "h264", "format.codec.crf": 20, "mask": ["1", 1]},
        {"format": "mp4"},
    ],
)
def test_dynamic_inputs_are_accepted(queue, tmp_path, monkeypatch, inputs):
    (tmp_path / "x.json").write_text(json.dumps(dynamic(monkeypatch, inputs)))
    with FakeServer() as server:
        code, _, text = queue("--server", server.url, template=tmp_path / "x.json")
    assert code == 0, text
    assert next(iter(server.prompts.values()))["4"]["inputs"] == {"a.b": ["1", 0], **inputs}


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"image.image0": ["1", 0]}, "no input 'image.image0'"),
        ({"format": "gfi"}, "format: got 'gfi' (did you mean 'gif'?); one of ['mp4', 'gif']"),
        ({"format": "mp4", "format.codec": "h265"}, "format.codec: got 'h265' (did you mean 'h264'?)"),
        (
            {"format": "mp4", "format.codec": "h264", "format.codec.crf": 99},
            "format.codec.crf: got 99; expected 0 .. 51",
        ),
        ({"format": "mp4", "format.codec": "h264"}, "input 'format.codec.crf' is missing"),
        ({"format": "gif", "format.codec": "h264"}, "no input 'format.codec'"),
        ({"format": "gif", "images.image50": ["1", 0]}, "no input 'images.image50'"),
        ({"a.c": 1}, "no input 'a.c' (did you mean 'a.b'?)"),
        ({"images.image0": ["9", 0]}, "images.image0: it is linked to node 9, which does not exist"),
        ({"images.image0": ["1", 2]}, "output 2 of node 1 (Portrait), which has 2"),
    ],
)
def test_wrong_dynamic_inputs_are_refused(queue, tmp_path, monkeypatch, inputs, message):
    (tmp_path / "x.json").write_text(json.dumps(dynamic(monkeypatch, inputs)))
    with FakeServer() as server:
        code, _, text = queue("--server", server.url, template=tmp_path / "x.json")
    assert code == 2
    assert message in text


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (["Out 1.5.format=gif"], {"format": "gif"}),
        (["Out 1.5.format.codec=auto"], {"format": "mp4", "format.codec": "auto"}),
        (["Out 1.5.format=gif", "Out 1.5.format=mp4"], {"format": "mp4", "format.codec": "auto"}),
        (["Out 1.5.format.codec=auto", "4.format.codec=h264"], {"format": "mp4", "format.codec": "h264", "format.codec.crf": 23}),
        (["Out 1.5.format.codec.crf=30"], {"format": "mp4", "format.codec": "h264", "format.codec.crf": 30}),
    ],
)  # fmt: skip
def test_a_change_of_a_dynamic_menu_changes_its_inputs(queue, tmp_path, monkeypatch, changes, expected):
    """As in the browser. The node is the longest title that fits: both titles and inputs have dots."""
    prompt = dynamic(monkeypatch, {"format": "mp4", "format.codec": "h264", "format.codec.crf": 20})
    prompt["4"]["_meta"] = {"title": "Out 1.5"}
    prompt["2"]["_meta"] = {"title": "Out 1"}
    (tmp_path / "x.json").write_text(json.dumps(prompt))
    options = [part for change in changes for part in ("--set", change)]
    with FakeServer() as server:
        code, _, text = queue("--server", server.url, *options, template=tmp_path / "x.json")
    assert code == 0, text
    assert next(iter(server.prompts.values()))["4"]["inputs"] == {"a.b": ["1", 0], **expected}


def test_a_wrong_choice_of_a_dynamic_menu_is_refused_before_it_is_sent(queue, tmp_path, monkeypatch):
    prompt = dynamic(monkeypatch, {"format": "mp4", "format.codec": "auto"})
    (tmp_path / "x.json").write_text(json.dumps(prompt))
    for change, message in (("format=avi", "one of ['mp4', 'gif']"), ("format.codec=av1", "one of ['auto', 'h264']")):
        with FakeServer() as server:
            code, _, text = queue("--server", server.url, "--set", f"4.{change}", template=tmp_path / "x.json")
        assert code == 2
        assert message in text
        assert server.prompts == {}
