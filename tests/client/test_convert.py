"""Conversion of UI workflows to prompts. tests/host/test_client.py compares it with the browser's own export."""

import copy
import json
import random

import pytest

from emo_core.client.check import misfits, problems
from emo_core.client.convert import to_api
from emo_core.client.prompt import Template
from emo_core.errors import InputError
from tests.client.server import INFO as SERVER
from tests.conftest import ROOT

INFO = copy.deepcopy(SERVER)
del INFO["Blur"]["input"]["optional"]["points"]  # A widget that only the browser has.
CRF = {"crf": ["INT", {"default": 23}]}
CODECS = {"options": [{"key": "auto", "inputs": {}}, {"key": "av1", "inputs": {"required": CRF}}]}
CONTAINERS = {"mp4": {"required": {"codec": ["COMFY_DYNAMICCOMBO_V3", CODECS]}}, "gif": {}}
FORMATS = {"options": [{"key": key, "inputs": inputs} for key, inputs in CONTAINERS.items()]}
GROWS = {"template": {"input": {"required": {"image": ["IMAGE", {}]}}, "prefix": "image", "min": 1, "max": 9}}
INFO["Save"] = {
    "input": {
        "required": {"images": ["COMFY_AUTOGROW_V3", GROWS], "format": ["COMFY_DYNAMICCOMBO_V3", FORMATS]},
        "optional": {"prefix": ["STRING", {"default": "x"}]},
    },
    "output": [], "output_node": True, "display_name": "Save",
}  # fmt: skip

UI = {
    "nodes": [
        {"id": 7, "type": "LoadImage", "widgets_values": ["me.png", "image"], "inputs": [], "mode": 0},
        {
            "id": 8,
            "type": "Blur",
            "title": "Soft",
            "mode": 0,
            "inputs": [{"name": "image", "link": 3}, {"name": "radius", "link": None, "widget": {"name": "radius"}}],
            "widgets_values": [4, "gauss", 9, "randomize", "a note", True, 256],
        },
        {"id": 9, "type": "Note", "widgets_values": ["text"], "mode": 0},
        {"id": 10, "type": "SaveImage", "mode": 2, "inputs": [{"name": "images", "link": 4}], "widgets_values": ["x"]},
    ],
    "links": [[3, 7, 0, 8, 0, "IMAGE"], [4, 8, 0, 10, 0, "IMAGE"]],
}
BLUR = {"radius": 4, "kind": "gauss", "seed": 9, "note": "a note", "on": True, "size": 256, "image": ["7", 0]}


def node(number, kind, **rest):
    return {"id": number, "type": kind, "mode": 0, **rest}


def image(link, name="image"):
    return {"name": name, "type": "IMAGE", "link": link}


def changed(**change):
    """The workflow with another node 8."""
    return {**UI, "nodes": [{**item, **change} if item["id"] == 8 else item for item in UI["nodes"]]}


def test_widget_values_get_their_names():
    """The seed's control, the upload button, notes and muted nodes are not converted."""
    assert to_api(UI, INFO) == {
        "7": {"class_type": "LoadImage", "inputs": {"image": "me.png"}, "_meta": {"title": "Load Image"}},
        "8": {"class_type": "Blur", "inputs": BLUR, "_meta": {"title": "Soft"}},
    }


def test_named_values_count_more_than_positions():
    """Newer browsers save both. A value that the file does not have is the default."""
    named = {"radius": 5, "kind": "box", "seed": 3, "control_after_generate": "fixed", "note": None}
    inputs = to_api(changed(widgets_values_named=named), INFO)["8"]["inputs"]
    assert inputs == {**BLUR, "radius": 5, "kind": "box", "seed": 3, "note": None, "size": 256}
    inputs = to_api(changed(widgets_values=named), INFO)["8"]["inputs"]
    assert (inputs["radius"], inputs["kind"], inputs["seed"]) == (5, "box", 3)


def test_missing_values_are_defaults():
    """A newer version of a node has more widgets than the file."""
    assert to_api(changed(widgets_values=[4]), INFO)["8"]["inputs"] == {
        "radius": 4, "kind": "box", "seed": 0, "note": "", "on": True, "size": 256, "image": ["7", 0]
    }  # fmt: skip


def test_lists_are_wrapped():
    """A plain list is a link."""
    assert to_api(changed(widgets_values=[[1, 2]]), INFO)["8"]["inputs"]["radius"] == {"__value__": [1, 2]}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"type": "Sharpen"}, "the server has no node 'Sharpen'"),
        ({"widgets_values": [4, "box", 1, "a note", ""]}, "got 'a note' after seed; expected one of"),
        ({"inputs": [image(33)]}, r"node 8 \(Soft\): input 'image' refers to link 33, which the file does not have"),
        ({"inputs": [{"link": 3}]}, "node 8: the name of an input: got None; expected a text"),
        ({"inputs": {}}, "node 8: inputs: got {}; expected a list"),
        ({"inputs": [image([3])]}, r"node 8: input 'image': link: got \[3\]; expected a number"),
        ({"mode": "off"}, "node 8: mode: got 'off'; expected a whole number"),
        ({"widgets_values": "text"}, "node 8: widgets_values: got 'text'; expected a list"),
        ({"type": None}, "node 8: type: got None"),
    ],
)
def test_nodes_that_cannot_be_converted_are_named(change, message):
    with pytest.raises(InputError, match=message):
        to_api(changed(**change), INFO)


@pytest.mark.parametrize(
    ("workflow", "message"),
    [
        ({"nodes": []}, "workflow: links: got None; expected a list"),
        ({"nodes": [3], "links": []}, "workflow: a node: got 3; expected an object"),
        ({"nodes": [{}], "links": []}, "workflow: a node has no 'id'"),
        ({"nodes": [], "links": [[1, 2]]}, r"workflow: a link: got \[1, 2\]; expected number, node, output"),
        ({"nodes": [], "links": [], "definitions": {"subgraphs": [{}]}}, "a subgraph has no 'id'"),
        ({**UI, "links": [[3, 99, 0, 8, 0]]}, "input 'image' is linked to node 99, which the file does not have"),
    ],
)
def test_damaged_workflows_are_refused(workflow, message):
    with pytest.raises(InputError, match=message):
        to_api(workflow, INFO)


def test_widgets_that_only_the_browser_has_are_refused():
    info = {**INFO, "Blur": {**INFO["Blur"], "input": {"required": {"tint": ["PALETTE", {}]}}}}
    workflow = {"nodes": [node(1, "Blur", widgets_values=["red"])], "links": []}
    with pytest.raises(InputError, match="has a widget of type PALETTE"):
        to_api(workflow, info)


def test_reroutes_and_primitives_are_resolved():
    """An input that is linked to a muted node keeps its widget's value, as in the browser. Widget values may have names."""
    nodes = [
        node(1, "LoadImage", widgets_values=["me.png", "image"]),
        node(2, "Reroute", inputs=[{"name": "", "link": 1}]),
        node(3, "PrimitiveNode", widgets_values=[6, "fixed"]),
        node(4, "LoadImage", widgets_values=["you.png", "image"]) | {"mode": 2},
        node(
            5,
            "Blur",
            inputs=[
                image(2),
                {"name": "radius", "link": 3, "widget": {"name": "radius"}},
                {"name": "note", "link": 4, "widget": {"name": "note"}},
            ],
            widgets_values={"kind": "box", "seed": 3, "radius": 1, "note": "own"},
        ),
    ]
    links = [[1, 1, 0, 2, 0, "*"], [2, 2, 0, 5, 0, "IMAGE"], [3, 3, 0, 5, 1, "INT"], [4, 4, 0, 5, 2, "STRING"]]
    prompt = to_api({"nodes": nodes, "links": links}, INFO)
    assert set(prompt) == {"1", "5"}
    expected = {"image": ["1", 0], "kind": "box", "seed": 3, "radius": 6, "note": "own"}
    assert expected.items() <= prompt["5"]["inputs"].items()


def test_a_bypassed_node_passes_its_input_on():
    """The first input whose type fits; without one, the link is left out."""
    nodes = [
        node(1, "LoadImage", widgets_values=["me.png", "image"]),
        node(2, "Blur", inputs=[image(1)]) | {"mode": 4},
        node(3, "LoadImage") | {"mode": 4},
        node(4, "Blur", inputs=[image(3)]) | {"mode": 4},
        node(5, "Save", inputs=[image(2, "images.image0"), image(4, "images.image1")], widgets_values=["gif"]),
        node(6, "Gone", inputs=[{"name": "a", "type": "MASK", "link": None}, image(5)]) | {"mode": 4},
        node(7, "SaveImage", inputs=[image(6, "images")]),
    ]
    links = [[1, 1, 0, 2, 0], [2, 2, 0, 5, 0], [3, 3, 0, 4, 0], [4, 4, 0, 5, 1], [5, 2, 0, 6, 1], [6, 6, 0, 7, 0]]
    prompt = to_api({"nodes": nodes, "links": links}, INFO)
    assert set(prompt) == {"1", "5", "7"}
    assert prompt["5"]["inputs"] == {"images.image0": ["1", 0], "format": "gif", "prefix": "x"}
    assert prompt["7"]["inputs"]["images"] == ["1", 0]


@pytest.mark.parametrize(("links", "radius"), [([1, None], 3), ([None, 1], ["1", 0])])
def test_a_bypassed_node_prefers_the_input_of_the_outputs_number(links, radius):
    """Sockets count before widgets: the second input of this node is `values.v1`."""
    grows = {
        "template": {"input": {"required": {"value": ["INT", {"forceInput": True}]}}, "prefix": "v", "min": 1, "max": 9}
    }
    inputs = {"expression": ["STRING", {}], "values": ["COMFY_AUTOGROW_V3", grows]}
    count = {"input": {"required": {}}, "output": ["INT"], "display_name": "Count"}
    info = {**INFO, "Math": {"input": {"required": inputs}, "output": ["FLOAT", "INT"]}, "Count": count}
    sockets = [{"name": f"values.v{i}", "type": "INT", "link": link} for i, link in enumerate(links)]
    nodes = [
        node(1, "Count"),
        node(2, "Math", inputs=sockets, widgets_values=["v0"]) | {"mode": 4},
        node(
            3,
            "Blur",
            inputs=[{"name": "radius", "type": "INT", "link": 2, "widget": {"name": "radius"}}],
            widgets_values=[3],
        ),
    ]
    prompt = to_api({"nodes": nodes, "links": [[1, 1, 0, 2, 0], [2, 2, 1, 3, 0]]}, info)
    assert prompt["3"]["inputs"]["radius"] == radius


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["mp4", "av1", 30, "out"], {"format": "mp4", "format.codec": "av1", "format.codec.crf": 30, "prefix": "out"}),
        (["mp4", "auto", "out"], {"format": "mp4", "format.codec": "auto", "prefix": "out"}),
        (["gif", "out"], {"format": "gif", "prefix": "out"}),
        (["mp4"], {"format": "mp4", "format.codec": "auto", "prefix": "x"}),
        ({"format": "mp4", "format.codec": "av1"}, {"format": "mp4", "format.codec": "av1", "format.codec.crf": 23, "prefix": "x"}),
    ],
)  # fmt: skip
def test_the_choice_of_a_dynamic_menu_decides_which_widgets_follow(values, expected):
    workflow = {"nodes": [node(1, "Save", widgets_values=values)], "links": []}
    assert to_api(workflow, INFO)["1"]["inputs"] == expected


def test_circles_are_refused():
    nodes = [
        node(1, "Reroute", inputs=[{"name": "", "link": 1}]),
        node(2, "Reroute", inputs=[{"name": "", "link": 2}]),
        node(3, "SaveImage", inputs=[image(3, "images")]),
    ]
    links = [[1, 2, 0, 1, 0], [2, 1, 0, 2, 0], [3, 1, 0, 3, 0]]
    with pytest.raises(InputError, match="lead in a circle"):
        to_api({"nodes": nodes, "links": links}, INFO)


def test_long_chains_of_reroutes_are_followed():
    nodes = [node(0, "LoadImage", widgets_values=["me.png"])]
    nodes += [node(i, "Reroute", inputs=[{"name": "", "link": i}]) for i in range(1, 3001)]
    nodes += [node(3001, "SaveImage", inputs=[image(3001, "images")])]
    links = [[i, i - 1, 0, i, 0] for i in range(1, 3002)]
    assert to_api({"nodes": nodes, "links": links}, INFO)["3001"]["inputs"]["images"] == ["0", 0]


def damaged(value, rng):
    """A copy of JSON with about one fault: a part removed, doubled, or of another type."""
    others = [None, True, -1, 2**70, 1.5, "", "x", [], {}, [[]], {"id": 3}, "-10", -20]
    if rng.random() < 0.01:
        return rng.choice(others)
    if isinstance(value, dict):
        return {key: damaged(item, rng) for key, item in value.items() if rng.random() > 0.01}
    if isinstance(value, list):
        items = [damaged(item, rng) for item in value if rng.random() > 0.01]
        return items + items[:1] if rng.random() < 0.01 else items
    return value


def test_damaged_workflows_end_in_a_prompt_or_one_line(tmp_path):
    """300 workflows with random faults, UI and API, with a nested subgraph among them."""
    from tests.client.test_subgraphs import NESTED

    host = json.loads((ROOT / "tests" / "contract" / "host_nodes.json").read_text())
    info = {**INFO, **host, **json.loads((ROOT / "tests" / "contract" / "nodes.json").read_text())}
    originals = (
        [json.loads(path.read_text()) for path in sorted((ROOT / "workflows").glob("**/*.json"))] + [UI] + [NESTED] * 12
    )
    refused = 0
    for seed in range(300):
        rng = random.Random(seed)
        path = tmp_path / "x.json"
        path.write_text(json.dumps(damaged(originals[seed % len(originals)], rng)))
        try:
            prompt = Template.read(path).prompt(info)
            problems(prompt, info)
            misfits(prompt, info)
            json.dumps(prompt)
        except InputError as error:
            refused += 1
            assert "\n" not in str(error) and len(str(error)) < 600, error
    assert 30 < refused < 300
