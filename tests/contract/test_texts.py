"""What people read in the host beside the schemas: translations, notes, the blueprint, and what App mode shows."""

import json
import re

import pytest

from tests.conftest import ROOT
from tests.contract.test_nodes import FOLDER, INFO, KNOWN, RERUN, WORKFLOWS
from tools.blueprint import FILE as BLUEPRINT
from tools.blueprint import blueprint
from tools.export_locales import LOCALES, NODES, REST, export, languages, merged, node_texts, other_texts
from tools.export_nodes import HELP

TRANSLATIONS = [(code, name) for code in languages() for name in (NODES, REST)]
SYNTAX = re.compile(r"[{}|@$]")
"""Characters that the frontend's translator reads as syntax."""
COLON = "\uff1a"
"""The colon of Chinese texts."""


def leaves(texts, path=()):
    for key, value in texts.items():
        if isinstance(value, dict):
            yield from leaves(value, (*path, key))
        else:
            yield (*path, key), value


def english(name):
    return node_texts(INFO) if name == NODES else other_texts(INFO)


@pytest.mark.parametrize(("code", "name"), TRANSLATIONS)
def test_every_text_is_translated_and_none_is_stale(code, name):
    texts = dict(leaves(json.loads((LOCALES / code / name).read_text())))
    originals = dict(leaves(english(name)))
    assert set(texts) == set(originals), RERUN
    assert not [path for path, text in texts.items() if not text.strip() or SYNTAX.search(text)]
    whole = {path for path, text in originals.items() if " " in text}
    assert not [path for path in whole if texts[path] == originals[path]], "these are still English"


def test_translations_keep_the_numbers_and_the_choices_of_the_english_texts():
    """A default or a menu's choice that changes must change in all languages."""
    originals = dict(leaves(english(NODES)))
    for code in languages():
        texts = dict(leaves(json.loads((LOCALES / code / NODES).read_text())))
        for path, text in originals.items():
            numbers = set(re.findall(r"(?<![\w.])\d+(?:\.\d+)?", text))
            assert numbers <= set(re.findall(r"\d+(?:\.\d+)?", texts[path])), path
        for name, node in INFO.items():
            for key, spec in {**node["input"]["required"], **node["input"].get("optional", {})}.items():
                tooltip, translated = spec[1]["tooltip"], texts[name, "inputs", key, "tooltip"]
                for choice in spec[1].get("options", ()):
                    assert (f"{choice}: " in tooltip) <= (choice + COLON in translated), (name, key, choice)


def test_a_new_language_starts_in_english_and_keeps_what_is_translated(tmp_path, monkeypatch):
    monkeypatch.setattr("tools.export_locales.LOCALES", tmp_path)
    export(INFO, ["de"])
    path = tmp_path / "de" / NODES
    assert json.loads(path.read_text()) == node_texts(INFO)
    known = {"EMOSampler": {"display_name": "EMO-Abtaster"}, "GoneNode": {"display_name": "weg"}}
    path.write_text(json.dumps(known))
    export(INFO, ["de"])
    texts = json.loads(path.read_text())
    assert texts == merged(node_texts(INFO), known)
    assert texts["EMOSampler"]["display_name"] == "EMO-Abtaster"
    assert "GoneNode" not in texts


def test_the_blueprint_is_current():
    assert json.loads(BLUEPRINT.read_text()) == blueprint(KNOWN), RERUN


def test_the_blueprints_links_and_widgets_exist():
    content = json.loads(BLUEPRINT.read_text())
    (inside,) = content["definitions"]["subgraphs"]
    nodes = {node["id"]: node for node in inside["nodes"]}
    sides = {-10: {"outputs": inside["inputs"]}, -20: {"inputs": inside["outputs"]}}
    for link in inside["links"]:
        source, target = (nodes | sides)[link["origin_id"]], (nodes | sides)[link["target_id"]]
        assert source["outputs"][link["origin_slot"]]["type"] == link["type"]
        assert target["inputs"][link["target_slot"]]["type"] == link["type"]
    (node,) = content["nodes"]
    assert [item["name"] for item in node["inputs"]] == [item["name"] for item in inside["inputs"]]
    for key, name in node["properties"]["proxyWidgets"]:
        inputs = KNOWN[nodes[int(key)]["type"]]["input"]["required"]
        assert name in inputs or name == "control_after_generate"


@pytest.mark.parametrize("name", WORKFLOWS)
def test_notes_have_no_code_words_and_say_where_the_examples_are(name):
    """Code is unreadable in the notes of the newest frontend."""
    nodes = json.loads((FOLDER / f"{name}.json").read_text())["nodes"]
    (text,) = (node["widgets_values"][0] for node in nodes if node["type"] == "MarkdownNote")
    assert "`" not in text
    if name == "talk-hallo":
        for node in nodes:
            for model in node["properties"].get("models", ()):
                assert model["name"] in node["widgets_values"]
                assert f"{model['directory']} / *{model['name']}*: [download]({model['url']})" in text
    else:
        assert "**assets**" in text


@pytest.mark.parametrize("name", WORKFLOWS)
def test_examples_are_marked_so_that_the_browser_can_bring_them(name):
    for node in json.loads((FOLDER / f"{name}.json").read_text())["nodes"]:
        if node["type"] in ("LoadImage", "LoadAudio", "LoadVideo"):
            assert node["properties"]["emo_example"] == node["widgets_values"][0]
            assert (ROOT / "assets" / node["widgets_values"][0]).is_file()


@pytest.mark.parametrize("name", WORKFLOWS)
def test_app_mode_shows_widgets_and_outputs_that_exist(name):
    content = json.loads((FOLDER / f"{name}.json").read_text())
    nodes = {str(node["id"]): node for node in content["nodes"]}
    if name == "batch":
        return
    for key, widget in content["extra"]["linearData"]["inputs"]:
        assert widget in KNOWN[nodes[key]["type"]]["input"]["required"]
    saved = ["ExportFaceMotion"] * 2 if name == "export-to-blender" else ["SaveVideo"]
    assert [nodes[key]["type"] for key in content["extra"]["linearData"]["outputs"]] == saved
    assert content["extra"]["linearMode"] is False


def test_help_pages_have_no_tables():
    """The host's panel is narrow: the last column would lie outside it."""
    for path in HELP.glob("*.md"):
        assert not [line for line in path.read_text().splitlines() if line.startswith("|")], path


@pytest.mark.parametrize("name", WORKFLOWS)
def test_steps_are_the_checkpoints_own_number_unless_the_user_chooses(name):
    """40 steps ruin a checkpoint that was distilled to 2."""
    for kind in ("EMOSampler", "MotionFrameChainer"):
        spec = INFO[kind]["input"]["required"]["steps"][1]
        assert (spec["default"], spec["min"]) == (0, 0)
    nodes = json.loads((FOLDER / "api" / f"{name}.json").read_text()).values()
    assert {node["inputs"]["steps"] for node in nodes if "steps" in node["inputs"]} <= {0}
