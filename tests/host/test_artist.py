"""What an artist meets in the frontend beside the workflows: examples, help pages, notes, search, App mode, the blueprint."""

import json

import pytest

from tests.conftest import ROOT
from tests.host.test_browser import NODES, complaints, open_workflow, page  # noqa: F401 -- a fixture
from tests.host.test_server import SNAPSHOT
from tools.blueprint import NAME as BLUEPRINT

pytestmark = pytest.mark.host
NODES_2 = "Comfy.VueNodes.Enabled"
SELECT = """kind => { const node = app.graph._nodes.find(node => node.type == kind);
    app.canvas.deselectAll?.(); app.canvas.ds.scale = 0.8; app.canvas.centerOnNode(node); app.canvas.selectNode(node);
    app.canvas.setDirty(true, true); }"""
WIDTHS = """() => [...document.querySelectorAll('.node-help-content')].map(page => ({
    text: page.innerText, outside: [...page.querySelectorAll('*')].filter(part =>
        part.getBoundingClientRect().right > page.parentElement.getBoundingClientRect().right + 1).length}))"""

PLACE = """blueprint => { const find = type => app.graph._nodes.find(node => node.type == type);
    const items = {nodes: blueprint.nodes, subgraphs: blueprint.definitions.subgraphs};
    const node = app.canvas._deserializeItems(items, {position: [0, 900]}).nodes.values().next().value;
    find('LoadImage').connect(0, node, 0); find('LoadAudio').connect(0, node, 1); node.connect(0, find('SaveVideo'), 0); }"""
"""Puts the blueprint into the graph of talk, between its files and Save Video, with the frontend's own function."""


def is_new(host):
    """Whether the host is newer than the floor, by a field that the floor does not know."""
    return "search_aliases" in host.get("/object_info/EMOSampler")["EMOSampler"]


@pytest.fixture
def newer(host):
    if not is_new(host):
        pytest.skip("older hosts do not have it")


@pytest.mark.parametrize(
    ("workflow", "names"),
    [("talk", ["portrait.png", "voice.wav"]), ("drive-by-video", ["performance.mp4", "man.jpg"])],
)
def test_the_examples_come_by_themselves(page, host, workflow, names):  # noqa: F811
    """Nobody has to copy them: a workflow that shows a missing example brings it."""
    files = [host.base / "input" / name for name in names]
    for path in files:
        path.unlink()
    page.evaluate("async () => await app.refreshComboInNodes()")
    open_workflow(page, workflow)
    assert [path.read_bytes() for path in files] == [(ROOT / "assets" / path.name).read_bytes() for path in files]
    assert all(node["known"] and not node["red"] for node in page.evaluate(NODES))
    page.wait_for_function("() => !document.querySelector('.p-toast-message')", timeout=30_000)


def test_an_own_file_of_the_same_name_stays(page, host):  # noqa: F811
    path = host.base / "input" / "voice.wav"
    own = (ROOT / "assets" / "voice-2.wav").read_bytes()
    path.write_bytes(own)
    open_workflow(page, "talk")
    assert path.read_bytes() == own
    path.write_bytes((ROOT / "assets" / "voice.wav").read_bytes())


def test_only_examples_are_served(host):
    for name in ("README.md", "..%2fpyproject.toml", "gone.png"):
        with pytest.raises(Exception, match="404"):
            host.get(f"/emo/examples/{name}")


@pytest.mark.parametrize("nodes_2", [False, True])
def test_help_pages_fit_their_panel(page, host, nodes_2):  # noqa: F811
    if nodes_2 and not is_new(host):
        pytest.skip("older hosts do not have Nodes 2.0")
    page.evaluate("([key, value]) => app.extensionManager.setting.set(key, value)", [NODES_2, nodes_2])
    open_workflow(page, "talk")
    for kind in ("MotionFrameChainer", "FaceLocatorMask"):
        page.evaluate(SELECT, kind)
        page.get_by_test_id("info-button").first.click()
        title = SNAPSHOT[kind]["display_name"]
        page.wait_for_function(
            "title => [...document.querySelectorAll('.node-help-content')].some(page => page.innerText.includes(title))",
            arg=title,
        )
        (shown,) = [item for item in page.evaluate(WIDTHS) if title in item["text"]]
        assert shown["outside"] == 0
        assert SNAPSHOT[kind]["input"]["required"]["model"][1]["tooltip"] in shown["text"]
        page.get_by_test_id("info-button").first.click()
    page.evaluate("([key, value]) => app.extensionManager.setting.set(key, value)", [NODES_2, False])


def test_searching_for_lip_sync_finds_the_nodes(page, newer):  # noqa: F811
    page.evaluate("() => { app.extensionManager.command.execute('Workspace.SearchBox.Toggle') }")
    page.wait_for_timeout(1000)
    page.keyboard.type("lip sync", delay=50)
    try:
        for name in ("EMO Model Loader", "Motion Frame Chainer (EMO)", BLUEPRINT):
            page.get_by_text(name, exact=True).first.wait_for(timeout=10_000)
    finally:
        page.keyboard.press("Escape")
        page.wait_for_timeout(500)


def test_the_blueprint_becomes_a_node_that_makes_the_prompt_of_talk(page, host, newer):  # noqa: F811
    """The host lists it, and it expands to the nodes of the workflow `talk`."""
    (key,) = (key for key, entry in host.get("/global_subgraphs").items() if entry["name"] == BLUEPRINT)
    open_workflow(page, "talk")
    page.evaluate(PLACE, json.loads(host.get(f"/global_subgraphs/{key}")["data"]))
    prompt = page.evaluate("async () => (await app.graphToPrompt()).output")
    twin = json.loads((ROOT / "workflows" / "api" / "talk.json").read_text())
    (chainer,) = (node["inputs"] for node in twin.values() if node["class_type"] == "MotionFrameChainer")
    (made,) = (
        node["inputs"] for key, node in prompt.items() if node["class_type"] == "MotionFrameChainer" and ":" in key
    )
    widgets = {name: value for name, value in chainer.items() if not isinstance(value, list)}
    assert {name: made[name] for name in widgets} == widgets
    assert complaints(page) == []


def test_app_mode_shows_portrait_voice_and_video(page, newer):  # noqa: F811
    open_workflow(page, "talk")
    page.evaluate("() => { app.extensionManager.command.execute('Comfy.ToggleLinear') }")
    page.wait_for_timeout(2500)
    text = page.evaluate("() => document.body.innerText").lower()
    page.evaluate("() => { app.extensionManager.command.execute('Comfy.ToggleLinear') }")
    for label in ("portrait.png", "voice.wav", "emo-mini (built in)", "seed", "steps"):
        assert label in text
