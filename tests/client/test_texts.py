"""Texts that the browser changes before it sends a prompt."""

import copy
import random
from datetime import datetime

import pytest

from emo_core.client.convert import to_api
from emo_core.client.texts import choose, fill
from tests.client.test_convert import INFO, UI, changed, node

NOON = datetime(2026, 3, 9, 7, 5, 30)
VALUES = {("Blur", "radius"): 4.0, ("Blur", "on"): True, ("My node", "path"): "a/b:c"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("video/%date:yyyy-MM-dd%/talk", "video/2026-03-09/talk"),
        ("%date:yy.M.d%", "26"),  # As in the browser.
        ("%date:yyd h-m-s%", "269 7-5-30"),
        ("%Blur.radius%_%Blur.on%_%My node.path%", "4_true_a_b_c"),
        ("%width%x%height%_%Gone.radius%", "%width%x%height%_%Gone.radius%"),
        ("100 %", "100 %"),
    ],
)
def test_names_of_files_are_filled(text, expected):
    assert fill(text, NOON, lambda *name: VALUES.get(name)) == expected


def test_names_of_files_take_the_values_of_nodes():
    """By alias or title, in the host's own nodes."""
    info = copy.deepcopy(INFO)
    info["SaveImage"]["python_module"] = "nodes"
    nodes = [
        *UI["nodes"][:2],
        node(3, "SaveImage", widgets_values=["%Soft.radius%-%soft one.seed%-%Load Image.image%"]),
    ]
    nodes[1] = {**nodes[1], "properties": {"Node name for S&R": "soft one"}}
    prompt = to_api({"nodes": nodes, "links": UI["links"]}, info)
    assert prompt["3"]["inputs"]["filename_prefix"] == "4-9-me.png"
    prompt = to_api({"nodes": nodes, "links": UI["links"]}, INFO)
    assert prompt["3"]["inputs"]["filename_prefix"].startswith("%Soft")


@pytest.mark.parametrize(
    ("text", "results"),
    [
        ("a {red|blue} hat", {"a red hat", "a blue hat"}),
        ("{a|{b|c}d}", {"a", "bd", "cd"}),
        (r"\{a|b\} {c\|d}", {"{a|b} c|d"}),
        ("a // comment\nb /* two\nlines */c", {"a \nb c"}),
        ("{open|ended", {"open", "ended"}),
        ("}", {"}"}),
        ("\\", {"\\"}),
        ("{" * 2000, None),
    ],
)
def test_alternatives_in_texts_are_chosen(text, results):
    """By chance, as in the browser; only where the schema allows it."""
    found = {choose(text, random.Random(seed)) for seed in range(60)}
    assert results is None or found == results


def test_only_texts_with_dynamic_prompts_are_changed():
    info = copy.deepcopy(INFO)
    info["Blur"]["input"]["optional"]["note"][1]["dynamicPrompts"] = True
    workflow = changed(widgets_values=[4, "gauss", 9, "fixed", "{same|same} // comment"])
    assert to_api(workflow, info)["8"]["inputs"]["note"] == "same "
    assert to_api(workflow, INFO)["8"]["inputs"]["note"] == "{same|same} // comment"
