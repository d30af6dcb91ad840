"""Subgraphs: their nodes stand in the prompt under paths, and get the values of the widgets that the subgraph's node shows."""

import copy

import pytest

from emo_core.client.convert import to_api
from emo_core.errors import InputError
from tests.client.test_convert import INFO, image, node


def widget(name, link, kind="INT"):
    return {"name": name, "type": kind, "link": link, "widget": {"name": name}}


def port(name, kind, *links):
    return {"id": name, "name": name, "type": kind, "linkIds": list(links)}


def link(number, origin, slot, target, place):
    return {"id": number, "origin_id": origin, "origin_slot": slot, "target_id": target, "target_slot": place}


SOFT = {
    "id": "soft",
    "name": "Soft picture",
    "nodes": [
        node(11, "Blur", inputs=[image(1), widget("radius", 2)], widgets_values=[1, "box", 5, "fixed", "", True, 256]),
        node(12, "Blur", title="Last", inputs=[image(3)], widgets_values=[2, "box", 6, "fixed", "", True, 256]),
    ],
    "links": [link(1, -10, 0, 11, 0), link(2, -10, 1, 11, 1), link(3, 11, 0, 12, 0), link(4, 12, 0, -20, 0)],
    "inputs": [port("image", "IMAGE", 1), port("radius", "INT", 2)],
    "outputs": [port("out", "IMAGE", 4)],
}
ONE = {
    "nodes": [
        node(1, "LoadImage", widgets_values=["me.png", "image"]),
        node(2, "soft", inputs=[image(1), widget("radius", None)], outputs=[{"type": "IMAGE"}], widgets_values=[7]),
        node(3, "SaveImage", inputs=[image(2, "images")], widgets_values=["x"]),
    ],
    "links": [[1, 1, 0, 2, 0, "IMAGE"], [2, 2, 0, 3, 0, "IMAGE"]],
    "last_node_id": 20,
    "definitions": {"subgraphs": [SOFT]},
}
OUTER = {
    "id": "outer",
    "name": "Outer",
    "nodes": [
        node(21, "soft", inputs=[image(1), widget("radius", 2)], outputs=[{"type": "IMAGE"}], widgets_values=[8])
    ],
    "links": [link(1, -10, 0, 21, 0), link(2, -10, 1, 21, 1), link(3, 21, 0, -20, 0)],
    "inputs": [port("picture", "IMAGE", 1), port("strength", "INT", 2)],
    "outputs": [port("out", "IMAGE", 3)],
}
NESTED = {
    **ONE,
    "nodes": [
        ONE["nodes"][0],
        node(2, "outer", inputs=[image(1, "picture"), widget("strength", None)], widgets_values=[9]),
        ONE["nodes"][2],
    ],
    "definitions": {"subgraphs": [SOFT, OUTER]},
}


def subgraph(workflow, **changes):
    """The workflow with another node 2."""
    copied = copy.deepcopy(workflow)
    copied["nodes"][1] |= changes
    return copied


def test_the_nodes_of_a_subgraph_have_paths():
    prompt = to_api(ONE, INFO)
    assert set(prompt) == {"1", "2:11", "2:12", "3"}
    assert prompt["2:11"]["inputs"]["image"] == ["1", 0]
    assert prompt["2:12"]["inputs"]["image"] == ["2:11", 0]
    assert prompt["3"]["inputs"]["images"] == ["2:12", 0]
    assert prompt["2:12"]["_meta"]["title"] == "Last"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, 7),
        ({"widgets_values": []}, 1),
        ({"widgets_values_named": {"radius": 3}}, 3),
        ({"properties": {"proxyWidgets": [["12", "note"], ["11", "radius"]]}, "widgets_values": ["new", 4]}, 4),
        ({"properties": {"proxyWidgets": [["-1", "radius"]]}, "widgets_values": [4]}, 4),
        ({"properties": {"proxyWidgets": "damaged"}}, 7),
    ],
)
def test_a_shown_widget_gives_its_value(changes, expected):
    prompt = to_api(subgraph(ONE, **changes), INFO)
    assert prompt["2:11"]["inputs"]["radius"] == expected
    assert prompt["2:12"]["inputs"]["note"] == ("new" if "new" in changes.get("widgets_values", []) else "")


def test_two_uses_of_a_subgraph_have_values_of_their_own():
    workflow = copy.deepcopy(ONE)
    workflow["nodes"].append(node(4, "soft", inputs=[image(3)], widgets_values=[2]))
    workflow["links"].append([3, 1, 0, 4, 0, "IMAGE"])
    prompt = to_api(workflow, INFO)
    assert [prompt[key]["inputs"]["radius"] for key in ("2:11", "4:11")] == [7, 2]


def test_a_linked_widget_of_a_subgraph_is_a_link():
    workflow = copy.deepcopy(ONE)
    workflow["nodes"][1]["inputs"][1]["link"] = 3
    workflow["nodes"].append(node(4, "Blur"))
    workflow["links"].append([3, 4, 0, 2, 1, "INT"])
    assert to_api(workflow, INFO)["2:11"]["inputs"]["radius"] == ["4", 0]


def test_subgraphs_inside_subgraphs():
    prompt = to_api(NESTED, INFO)
    assert set(prompt) == {"1", "2:21:11", "2:21:12", "3"}
    assert prompt["2:21:11"]["inputs"] | {"radius": 9, "image": ["1", 0]} == prompt["2:21:11"]["inputs"]
    assert prompt["3"]["inputs"]["images"] == ["2:21:12", 0]
    assert to_api(subgraph(NESTED, widgets_values=[]), INFO)["2:21:11"]["inputs"]["radius"] == 1
    shown = subgraph(NESTED, properties={"proxyWidgets": [["21", "radius"]]}, widgets_values=[5])
    assert to_api(shown, INFO)["2:21:11"]["inputs"]["radius"] == 5


@pytest.mark.parametrize(("mode", "source"), [(4, ["1", 0]), (2, None)])
def test_a_subgraph_that_does_not_run(mode, source):
    prompt = to_api(subgraph(ONE, mode=mode), INFO)
    assert set(prompt) == {"1", "3"}
    assert prompt["3"]["inputs"].get("images") == source


def test_equal_numbers_get_new_ones():
    """The browser numbers the nodes of subgraphs anew where numbers are used twice. `last_node_id` is 20."""
    workflow = copy.deepcopy(ONE)
    text = workflow["definitions"]["subgraphs"][0]
    text["nodes"][0]["id"] = 3
    text["links"] = [link(1, -10, 0, 3, 0), link(2, -10, 1, 3, 1), link(3, 3, 0, 12, 0), link(4, 12, 0, -20, 0)]
    prompt = to_api(subgraph(workflow, properties={"proxyWidgets": [["3", "radius"]]}), INFO)
    assert set(prompt) == {"1", "2:21", "2:12", "3"}
    assert prompt["2:12"]["inputs"]["image"] == ["2:21", 0]
    assert prompt["2:21"]["inputs"]["radius"] == 7


def test_primitives_and_reroutes_inside():
    workflow = copy.deepcopy(ONE)
    inner = workflow["definitions"]["subgraphs"][0]
    inner["nodes"] += [
        node(13, "PrimitiveNode", widgets_values=[3, "fixed"]),
        node(14, "Reroute", inputs=[image(6, "")]),
    ]
    inner["nodes"][1]["inputs"] = [image(7), widget("radius", 5)]
    inner["links"] += [link(5, 13, 0, 12, 1), link(6, 11, 0, 14, 0), link(7, 14, 0, 12, 0)]
    prompt = to_api(workflow, INFO)
    assert set(prompt) == {"1", "2:11", "2:12", "3"}
    assert (prompt["2:12"]["inputs"]["radius"], prompt["2:12"]["inputs"]["image"]) == (3, ["2:11", 0])
    shown = subgraph(workflow, properties={"proxyWidgets": [["13", "value"]]}, widgets_values=[8])
    assert to_api(shown, INFO)["2:12"]["inputs"]["radius"] == 8


def test_an_input_that_leads_straight_to_the_output():
    workflow = copy.deepcopy(ONE)
    workflow["definitions"]["subgraphs"][0]["links"][3] = link(4, -10, 0, -20, 0)
    assert to_api(workflow, INFO)["3"]["inputs"]["images"] == ["1", 0]


def test_a_subgraph_that_contains_itself_is_refused():
    workflow = copy.deepcopy(ONE)
    workflow["definitions"]["subgraphs"][0]["nodes"].append(node(13, "soft"))
    with pytest.raises(InputError, match="subgraph 'Soft picture' contains itself"):
        to_api(workflow, INFO)


def test_subgraphs_that_multiply_are_refused():
    """Thirty levels of two each."""
    levels = [
        {"id": f"level{i}", "nodes": [node(1, f"level{i + 1}"), node(2, f"level{i + 1}")], "links": []}
        for i in range(30)
    ]
    last = {"id": "level30", "nodes": [node(1, "LoadImage")], "links": []}
    workflow = {"nodes": [node(1, "level0")], "links": [], "definitions": {"subgraphs": [*levels, last]}}
    with pytest.raises(InputError, match="more than 20000 nodes"):
        to_api(workflow, INFO)


def test_deep_subgraphs_end_quickly():
    """Every level is linked ten times to the next one, and none has a widget."""
    ports = [port("a", "INT", *range(10))]
    links = [link(i, -10, 0, 1, 0) for i in range(10)]
    levels = [
        {
            "id": f"level{i}",
            "nodes": [node(1, f"level{i + 1}", inputs=[widget("a", j) for j in range(10)])],
            "links": links,
            "inputs": ports,
        }
        for i in range(40)
    ]
    last = {"id": "level40", "nodes": [node(1, "LoadImage", widgets_values=["me.png"])], "links": [], "inputs": ports}
    top = {"nodes": [node(1, "level0")], "links": [None], "definitions": {"subgraphs": [*levels, last]}}
    assert len(to_api(top, INFO)) == 1
    chain = [{"id": f"level{i}", "nodes": [node(1, f"level{i + 1}")], "links": []} for i in range(2000)]
    with pytest.raises(InputError, match="more than 50 subgraphs inside each other"):
        to_api({**top, "definitions": {"subgraphs": chain}}, INFO)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda inner: inner["nodes"][1]["inputs"].__setitem__(0, image(99)),
         r"node 12 \(Last\) in subgraph 'Soft picture': input 'image' refers to link 99"),
        (lambda inner: inner["links"].__setitem__(0, link(1, -10, 9, 11, 0)), "input 9 of the subgraph, which has 2"),
        (lambda inner: inner["outputs"].clear(), "has no output number 0"),
        (lambda inner: inner["links"].__setitem__(3, link(4, 77, 0, -20, 0)), "output 'out' of subgraph 'Soft picture' is linked to node 77"),
    ],
)  # fmt: skip
def test_damaged_subgraphs_are_named(change, message):
    workflow = copy.deepcopy(ONE)
    change(workflow["definitions"]["subgraphs"][0])
    with pytest.raises(InputError, match=message):
        to_api(workflow, INFO)
