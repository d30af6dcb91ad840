"""The workflows in the real frontend, in a headless Chromium: no red node, and a video after pressing Run. And what else an artist
meets there: examples, help pages, notes, search, App mode, the blueprint.

With EMO_SCREENSHOTS=DIR the pictures that README and workflows show are taken: README's from a run in full quality.
"""

import json
import os
import shutil
import time
from pathlib import Path

import pytest

from emo_core.client.check import BROWSER_ONLY, problems
from tests.conftest import ROOT
from tests.host.conftest import finds_points
from tests.host.test_server import ALL_WORKFLOWS, PORTRAIT_WORKFLOWS, VIDEOS, WORKFLOWS

pytestmark = pytest.mark.host
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run", "--disable-component-update",
         "--disable-sync", "--disable-quic"]  # fmt: skip
PICTURES = os.environ.get("EMO_SCREENSHOTS")
SECONDS = 1200
HALLO_FILES = [
    "emo/hallo.safetensors",
    "vae/vae-ft-mse-840000-ema-pruned.safetensors",
    "audio_encoders/wav2vec2-base-960h.safetensors",
]
"""Of the workflow talk-hallo. Its nodes are red without them."""
NEWER = {
    "LoadVideo": {"video-preview": ""},
    "SaveVideo": {"format.codec": "auto"},
    "CreateVideo": {"bit_depth": 8},
    "Preview3D": {"image": ""},
}
"""Widgets that newer hosts and their browsers add, with their defaults."""
NODES = """() => app.graph._nodes.map(node => ({
    type: node.type, red: !!node.has_errors, known: node.type in LiteGraph.registered_node_types}))"""
OPEN = """async ([name, text]) => { await app.handleFile(new File([text], name, {type: 'application/json'})); }"""
DRAFT = """() => { for (const node of app.graph._nodes) for (const widget of node.widgets ?? []) {
    if (widget.name == 'steps') widget.value = 1;
    if (widget.name == 'duration') widget.value = 0.6;
    if (widget.name == 'minutes') widget.value = 0.1; } }"""
FEW_STEPS = """() => { for (const node of app.graph._nodes) for (const widget of node.widgets ?? []) {
    if (widget.name == 'steps') widget.value = 8;
    if (widget.name == 'minutes') widget.value = 1; } }"""


@pytest.fixture(scope="module")
def page(host):
    """The frontend, its welcome dialog closed."""
    from playwright import sync_api

    assert CHROMIUM, "install Chromium, or name one in CHROMIUM"
    for name in HALLO_FILES:
        path = host.base / "models" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        page = browser.new_page(viewport={"width": 1900, "height": 1000})
        page.goto(host.url, wait_until="domcontentloaded")
        page.wait_for_function("window.app?.graph && window.app.canvas")
        page.get_by_test_id("queue-button").wait_for()
        page.wait_for_timeout(2000)
        page.keyboard.press("Escape")
        page.wait_for_timeout(500)
        yield page
        browser.close()
    for name in HALLO_FILES:
        (host.base / "models" / name).unlink()


def open_workflow(page, name, folder="workflows"):
    """Open a workflow file, as dropping it on the canvas does."""
    path = ROOT / folder / f"{name}.json"
    page.evaluate(OPEN, [path.name, path.read_text()])
    count = len(json.loads(path.read_text())["nodes"])
    page.wait_for_function(f"() => app.graph._nodes.length == {count}")
    page.wait_for_timeout(1500)
    page.keyboard.press(".")  # Fit the view.
    page.wait_for_timeout(1000)


def complaints(page):
    """Texts of the frontend's toasts and dialogs."""
    return [element.inner_text() for element in page.query_selector_all(".p-toast-message, .p-dialog")]


@pytest.mark.parametrize("name", ALL_WORKFLOWS)
def test_a_workflow_opens_without_red_nodes(page, host, name):
    """The frontend and our converter make the same prompt of it."""
    open_workflow(page, name)
    nodes = page.evaluate(NODES)
    assert all(node["known"] and not node["red"] for node in nodes), nodes
    assert complaints(page) == []
    prompt = page.evaluate("async () => (await app.graphToPrompt()).output")
    twin = json.loads((ROOT / "workflows" / "api" / f"{name}.json").read_text())
    assert set(prompt) == set(twin)
    for key, node in twin.items():
        sent = {name: value for name, value in prompt[key]["inputs"].items() if name not in BROWSER_ONLY}
        added = {name: sent.pop(name) for name in set(sent) - set(node["inputs"])}
        assert (prompt[key]["class_type"], sent) == (node["class_type"], node["inputs"])
        assert added.items() <= NEWER.get(node["class_type"], {}).items()
    if name in WORKFLOWS:
        assert problems(prompt, host.get("/object_info")) == []
    elif PICTURES:
        page.screenshot(path=Path(PICTURES) / f"{name}.png")


@pytest.mark.parametrize("name", [name for name in WORKFLOWS if VIDEOS.get(name, 1)] if PICTURES else ["talk"])
def test_run_makes_a_video(page, host, name):
    if name in PORTRAIT_WORKFLOWS and not finds_points():
        pytest.skip("ComfyUI's Python has no mediapipe")
    open_workflow(page, name)
    page.evaluate(DRAFT if not PICTURES else "() => {}" if name == "talk" else FEW_STEPS)
    before = set(host.get("/history"))
    page.get_by_test_id("queue-button").click()
    end = time.monotonic() + SECONDS
    while not (new := set(host.get("/history")) - before):
        assert time.monotonic() < end, host.log.read_text()[-2000:]
        page.wait_for_timeout(1000)
    assert host.get(f"/history/{min(new)}")[min(new)]["status"]["status_str"] == "success"
    page.wait_for_function("() => document.querySelector('video')?.readyState >= 2", timeout=30_000)
    page.wait_for_timeout(1500)
    assert all(not node["red"] for node in page.evaluate(NODES))
    assert complaints(page) == []
    if PICTURES:
        page.evaluate(
            "() => { for (const v of document.querySelectorAll('video')) { v.pause(); v.currentTime = 1.5; } }"
        )
        page.wait_for_timeout(1000)
        page.screenshot(path=Path(PICTURES) / f"{name}.png")
