"""Conversion of UI workflows to prompts."""

import copy

import pytest

from emo_core.client.convert import to_api
from emo_core.errors import InputError
from tests.client.server import INFO as SERVER

INFO = copy.deepcopy(SERVER)
del INFO["Blur"]["input"]["optional"]["points"]  # A widget that only the browser has.

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


def test_widget_values_get_their_names():
    """The seed's control, the upload button, notes and muted nodes are not converted."""
    assert to_api(UI, INFO) == {
        "7": {"class_type": "LoadImage", "inputs": {"image": "me.png"}, "_meta": {"title": "Load Image"}},
        "8": {
            "class_type": "Blur",
            "inputs": {
                "radius": 4,
                "kind": "gauss",
                "seed": 9,
                "note": "a note",
                "on": True,
                "size": 256,
                "image": ["7", 0],
            },
            "_meta": {"title": "Soft"},
        },
    }


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"type": "Sharpen"}, "the server has no node 'Sharpen'"),
        ({"mode": 4}, "'Soft' is bypassed"),
        ({"widgets_values": [4]}, "fewer values than widgets"),
        ({"widgets_values": [4, "box", 1, "a note", ""]}, "got 'a note' after seed; expected one of"),
    ],
)
def test_nodes_that_cannot_be_converted_are_named(change, message):
    nodes = [{**node, **change} if node["id"] == 8 else node for node in UI["nodes"]]
    with pytest.raises(InputError, match=message):
        to_api({**UI, "nodes": nodes}, INFO)


def node(number, kind, **rest):
    return {"id": number, "type": kind, "mode": 0, **rest}


def test_reroutes_and_primitives_are_resolved():
    """A link from a muted node is left out. Widget values may have names."""
    nodes = [
        node(1, "LoadImage", widgets_values=["me.png", "image"]),
        node(2, "Reroute", inputs=[{"name": "", "link": 1}]),
        node(3, "PrimitiveNode", widgets_values=[6, "fixed"]),
        node(4, "LoadImage", widgets_values=["you.png", "image"]) | {"mode": 2},
        node(
            5,
            "Blur",
            inputs=[
                {"name": "image", "link": 2},
                {"name": "radius", "link": 3, "widget": {"name": "radius"}},
                {"name": "note", "link": 4, "widget": {"name": "note"}},
            ],
            widgets_values={"kind": "box", "seed": 3, "radius": 1, "note": "stale"},
        ),
    ]
    links = [[1, 1, 0, 2, 0, "*"], [2, 2, 0, 5, 0, "IMAGE"], [3, 3, 0, 5, 1, "INT"], [4, 4, 0, 5, 2, "STRING"]]
    prompt = to_api({"nodes": nodes, "links": links}, INFO)
    assert set(prompt) == {"1", "5"}
    assert prompt["5"]["inputs"] == {"image": ["1", 0], "kind": "box", "seed": 3, "radius": 6}


@pytest.mark.parametrize(
    ("workflow", "message"),
    [
        ({"nodes": [], "links": [], "definitions": {"subgraphs": [{}]}}, "has subgraphs"),
        ({"nodes": []}, "version is not 0.4"),
        ({"nodes": [node(1, "Blur", widgets_values=[1, "box", 2, "fixed", "", True, 256])], "links": []}, None),
    ],
)
def test_other_workflows_are_refused(workflow, message):
    if message is None:
        info = {**INFO, "Blur": {**INFO["Blur"], "input": {"required": {"tint": ["COLOR", {}]}}}}
        with pytest.raises(InputError, match="has a widget of type COLOR"):
            to_api(workflow, info)
        return
    with pytest.raises(InputError, match=message):
        to_api(workflow, INFO)
