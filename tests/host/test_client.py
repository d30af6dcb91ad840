"""The client on a real server."""

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import pytest

from emo_core.__main__ import main
from emo_core.client.check import misfits, problems
from emo_core.client.convert import to_api
from tests.conftest import ROOT
from tests.host.conftest import host_python, messages, workflow
from tests.host.test_browser import CHROMIUM, QUIET

pytestmark = pytest.mark.host
CHAIN = "Motion Frame Chainer (EMO)"
SHIPPED = sorted(path.stem for path in (ROOT / "workflows").glob("*.json"))
TEMPLATES = (
    "3d_triposplat_image_to_gaussian_splat", "audio_stable_audio_3_medium", "basic_image_color_adjustment",
    "basic_switch_node", "flux1_dev_uso_reference_image_gen", "flux_redux_model_example", "hidream_e1_1",
    "hidream_e1_full", "hunyuan_video_text_to_video", "image_flux2_klein_text_to_image", "image_newbieimage_exp0_1-t2i",
    "image_qwen_Image_2512_controlnet", "image_qwen_image_edit_2509", "sdxl_refiner_prompt_example",
    "sdxl_simple_example", "video_bernini_r_video_editing", "video_ltx2_3_i2v", "video_wan2_2_14B_s2v",
    "video_wan_vace_14B_ref2v", "video_wan_vace_flf2v", "video_wan_vace_inpainting",
)  # fmt: skip
"""Workflows of the host, with subgraphs (nested, with shown widgets, with equal numbers), bypassed and muted nodes, dynamic menus,
growing inputs, switches, primitives and reroutes. Hosts have different ones."""
FRONTEND_ONLY = ("Note", "MarkdownNote", "Reroute", "PrimitiveNode")
RENUMBERING = (1, 40)
"""A frontend that gives new numbers to nodes of subgraphs, and keeps the value of a widget that is linked to a muted node.
The converter follows it; with older ones these two cases are not compared."""
EXPORT = """async (workflow) => {
    await app.loadGraphData(workflow);
    await new Promise(done => setTimeout(done, 100));
    const saved = (app.rootGraph ?? app.graph).serialize();
    return [(await app.graphToPrompt()).output, JSON.parse(JSON.stringify(saved))];
}"""
QUICK = ["--set", f"{CHAIN}.steps=1", "--set", "Load Audio Wav2Vec (EMO).duration=0.6"]


@pytest.mark.parametrize("form", ["api", "ui"])
def test_a_job_is_uploaded_run_and_downloaded(host, tmp_path, capsys, form):
    (tmp_path / "uni jörg.png").write_bytes((ROOT / "assets" / "portrait.png").read_bytes())
    template = ROOT / "workflows" / ("api/talk.json" if form == "api" else "talk.json")
    options = [
        "--server",
        host.url,
        "--image",
        str(tmp_path / "uni jörg.png"),
        "--audio",
        str(ROOT / "assets" / "voice-2.wav"),
    ]
    code = main(
        [
            "queue",
            str(template),
            *options,
            *QUICK,
            "--set",
            f"{CHAIN}.mode=loop",
            "--set",
            f"{CHAIN}.seed={len(form)}",
            "--out",
            str(tmp_path / "out"),
        ]
    )
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert code == 0, events
    assert {"queued", "progress", "done"} <= {event["event"] for event in events}
    (path,) = (tmp_path / "out").iterdir()
    with av.open(str(path)) as container:
        assert container.streams.video[0].frames == 15


def test_a_table_runs_one_job_per_row(host, tmp_path, capsys):
    (tmp_path / "jobs.csv").write_text(f"name,{CHAIN}.seed\none,1\ntwo,2\n")
    options = ["--server", host.url, "--batch", str(tmp_path / "jobs.csv"), "--out", str(tmp_path / "out")]
    assert main(["queue", str(ROOT / "workflows" / "api" / "talk.json"), *options, *QUICK]) == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["one.mp4", "two.mp4"]


def test_an_unknown_input_is_refused_with_a_suggestion(host, tmp_path, capsys):
    options = ["--server", host.url, "--set", f"{CHAIN}.sede=1", "--out", str(tmp_path)]
    assert main(["queue", str(ROOT / "workflows" / "api" / "talk.json"), *options]) == 2
    assert "no input 'sede' (did you mean 'seed'?)" in capsys.readouterr().err


@pytest.mark.parametrize("form", ["api", "ui"])
def test_the_menus_of_save_video_are_checked(host, tmp_path, capsys, form):
    """Newer hosts have menus inside menus: `format.codec`."""
    is_dynamic = host.get("/object_info")["SaveVideo"]["input"]["required"]["format"][0] == "COMFY_DYNAMICCOMBO_V3"
    path = ROOT / "workflows" / ("api/talk.json" if form == "api" else "talk.json")
    options = ["queue", str(path), "--server", host.url, *QUICK, "--out", str(tmp_path / "out")]
    before = set(host.get("/history"))
    for change in ("format=gif", "format.codec=h261") if is_dynamic else ("format=gif",):
        assert main([*options, "--set", f"Save Video.{change}"]) == 2
        name, _, choice = change.partition("=")
        assert f"{name}: got {choice!r}" in (text := capsys.readouterr().err)
        assert "one of ['auto'" in text
    assert set(host.get("/history")) == before
    if is_dynamic:
        options += [
            "--set",
            f"{CHAIN}.seed=31",
            "--set",
            "Save Video.format=mp4",
            "--set",
            "Save Video.format.codec=av1",
        ]
        assert main(options) == 0
        (video,) = (tmp_path / "out").iterdir()
        with av.open(str(video)) as container:
            assert "av1" in container.streams.video[0].codec_context.name


@pytest.mark.parametrize("waiting", [False, True], ids=["running", "waiting behind another's"])
def test_ctrl_c_cancels_only_its_own_prompt(host, tmp_path, waiting):
    mine = ["--set", f"{CHAIN}.seed=77", "--set", f"{CHAIN}.steps=100"]
    foreign = workflow("talk", seed=5, steps=3, duration=1.2)
    other = host.queue(foreign) if waiting else None
    command = [sys.executable, "-m", "emo_core", "queue", "workflows/api/talk.json", "--server", host.url, *mine]
    process = subprocess.Popen([*command, "--out", str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    prompt_id = json.loads(process.stdout.readline())["prompt_id"]
    time.sleep(1.0)
    if not waiting:
        other = host.queue(foreign)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert json.loads(out.splitlines()[-1])["event"] == "cancelled"
    assert host.wait(other)["status"]["status_str"] == "success"
    end = time.monotonic() + 20  # Within a step.
    while prompt_id in json.dumps(host.get("/queue")):
        assert time.monotonic() < end
        time.sleep(0.1)
    history = host.get(f"/history/{prompt_id}")
    assert prompt_id not in history or "execution_interrupted" in messages(history[prompt_id])


def test_installing_the_pack_changes_none_of_the_hosts_packages(host):
    """pip would install requirements.txt without touching these four."""
    command = [host_python(), "-m", "pip", "install", "--dry-run", "--quiet", "--report", "-", "--requirement"]
    done = subprocess.run([*command, str(ROOT / "requirements.txt")], capture_output=True, text=True, check=True)
    report = json.loads(done.stdout[done.stdout.index("{") :])
    changed = {item["metadata"]["name"].lower() for item in report["install"]}
    assert not changed & {"torch", "numpy", "transformers", "pillow"}, changed


@pytest.fixture(scope="module")
def export(host):
    """Opens a workflow in the browser. Gives the browser's own export (API), and the workflow as the browser saves it."""
    from playwright import sync_api

    assert CHROMIUM, "install Chromium, or name one in CHROMIUM"
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        page = browser.new_page()
        page.goto(host.url, wait_until="domcontentloaded")
        page.wait_for_function("window.app?.graph && window.app.canvas")
        page.get_by_test_id("queue-button").wait_for()
        page.wait_for_timeout(2000)
        yield lambda content: page.evaluate(EXPORT, content)
        browser.close()


@pytest.fixture(scope="module")
def site():
    """The folder of the host's packages, and the version of its frontend."""
    script = "import sysconfig, importlib.metadata as m; print(sysconfig.get_path('purelib')); print(m.version('comfyui_frontend_package'))"
    done = subprocess.run([host_python(), "-c", script], capture_output=True, text=True, check=True)
    folder, version = done.stdout.split()
    return Path(folder), tuple(map(int, version.split(".")[:2]))


def template(folder, name):
    """A workflow that the host brings; None if it has none of that name."""
    path = next((path for path in folder.glob(f"comfyui_workflow_templates*/**/{name}.json")), None)
    return json.loads(path.read_text(encoding="utf-8")) if path else None


def graphs(content):
    return [content, *((content.get("definitions") or {}).get("subgraphs") or [])]


def lacking(content, info):
    """Nodes that the host does not have."""
    own = {graph.get("id") for graph in graphs(content)[1:]}
    return {node["type"] for graph in graphs(content) for node in graph["nodes"]} - set(info) - own - set(FRONTEND_ONLY)


def sent(prompt, info):
    """Class and inputs of all nodes, without what the server ignores: inputs that no schema has, and titles."""
    return {
        key: (
            node["class_type"],
            {
                name: value
                for name, value in node["inputs"].items()
                if node["class_type"] == "CustomCombo"
                or any(name.partition(".")[0] in group for group in info[node["class_type"]]["input"].values())
            },
        )
        for key, node in prompt.items()
    }


def switched_off(content, seed, modes):
    """A copy in which a fifth of the nodes is bypassed or muted."""
    rng, copied = random.Random(seed), json.loads(json.dumps(content))
    for graph in graphs(copied):
        for node in graph["nodes"]:
            if rng.random() < 0.2:
                node["mode"] = rng.choice(modes)
    return copied


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_workflow_is_converted_as_the_browser_exports_it(host, export, name):
    """As it is shipped, and as the browser saves it, which is the newer form."""
    info, content = host.get("/object_info"), json.loads((ROOT / "workflows" / f"{name}.json").read_text())
    exported, saved = export(content)
    assert sent(to_api(content, info), info) == sent(exported, info)
    assert sent(to_api(saved, info), info) == sent(exported, info)
    if name != "talk-hallo":  # Its files are not there.
        assert problems(to_api(content, info), info) == []
    for seed in range(3):
        changed = switched_off(content, seed, [4])
        assert sent(to_api(changed, info), info) == sent(export(changed)[0], info)


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_of_the_host_is_converted_as_the_browser_exports_it(host, export, site, name):
    info, (folder, version) = host.get("/object_info"), site
    content = template(folder, name)
    if content is None or (missing := lacking(content, info)):
        pytest.skip("this host has no such template" if content is None else f"this host has no node {missing}")
    exported, saved = export(content)
    if version < RENUMBERING and set(exported) != set(to_api(content, info)):
        pytest.skip("this frontend does not give new numbers to nodes of subgraphs")
    assert misfits(exported, info) == misfits(to_api(content, info), info) == []
    assert sent(to_api(content, info), info) == sent(exported, info)
    assert sent(to_api(saved, info), info) == sent(exported, info)
    for seed in range(3) if version >= RENUMBERING else ():
        changed = switched_off(saved, seed, [2, 4, 4])
        assert sent(to_api(changed, info), info) == sent(export(changed)[0], info)


def test_enough_templates_are_compared(host, site):
    info, (folder, version) = host.get("/object_info"), site
    found = [content for name in TEMPLATES if (content := template(folder, name)) and not lacking(content, info)]
    assert len(found) >= (16 if version >= RENUMBERING else 9)
