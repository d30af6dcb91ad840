"""UI workflows as prompts."""

import pytest

from emo_core.client.convert import to_api
from emo_core.errors import InputError
from tests.client.server import INFO

UI = {
    "nodes": [
        {"id": 7, "type": "LoadImage", "widgets_values": ["me.png", "image"], "inputs": [], "mode": 0},
        {
            "id": 8,
            "type": "Blur",
            "title": "Soft",
            "mode": 0,
            "inputs": [{"name": "image", "link": 3}, {"name": "radius", "link": None, "widget": {"name": "radius"}}],
            "widgets_values": [4, "gauss", 9, "randomize", "a note"],
        },
        {"id": 9, "type": "Note", "widgets_values": ["text"], "mode": 0},
        {"id": 10, "type": "SaveImage", "mode": 2, "inputs": [{"name": "images", "link": 4}], "widgets_values": ["x"]},
    ],
    "links": [[3, 7, 0, 8, 0, "IMAGE"], [4, 8, 0, 10, 0, "IMAGE"]],
}


def test_values_get_their_names():
    """The seed's companion, the upload button, notes and muted nodes are the browser's own."""
    assert to_api(UI, INFO) == {
        "7": {"class_type": "LoadImage", "inputs": {"image": "me.png"}, "_meta": {"title": "Load Image"}},
        "8": {
            "class_type": "Blur",
            "inputs": {"radius": 4, "kind": "gauss", "seed": 9, "note": "a note", "image": ["7", 0]},
            "_meta": {"title": "Soft"},
        },
    }


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"type": "Sharpen"}, "the server has no node 'Sharpen'"),
        ({"mode": 4}, "'Soft' is bypassed"),
        ({"widgets_values": [4]}, "fewer values than widgets"),
        ({"widgets_values": [4, "box", 1, "a note", ""]}, "behind seed came 'a note'"),
    ],
)
def test_what_cannot_be_converted_is_named(change, message):
    nodes = [{**node, **change} if node["id"] == 8 else node for node in UI["nodes"]]
    with pytest.raises(InputError, match=message):
        to_api({**UI, "nodes": nodes}, INFO)
