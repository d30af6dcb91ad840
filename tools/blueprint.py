"""The blueprint "Talking portrait (lip sync)": the workflow `talk` as one node, which newer hosts list under Subgraph Blueprints."""

import uuid
from pathlib import Path
from typing import Any

from tools.canvas import Canvas

ROOT = Path(__file__).resolve().parents[1]
NAME = "Talking portrait (lip sync)"
"""The host searches a blueprint of a pack by its file name only."""
FILE = ROOT / "subgraphs" / f"{NAME}.json"
DESCRIPTION = "Makes a talking video from a portrait and a voice (EMO). The model emo-mini comes with the pack."
ALIASES = ["lip sync", "talking head", "talking video", "speaking avatar", "emo"]
INPUT, OUTPUT = -10, -20
"""The host's ids of a subgraph's input and output side."""
SOCKETS = [("portrait", "IMAGE"), ("voice", "AUDIO")]


def blueprint(info: dict[str, Any]) -> dict[str, Any]:
    """The file, with `info` as in `/object_info`."""
    canvas, number = Canvas(info), str(_identity("subgraph"))
    widgets = _draw(canvas, source := _boundary(INPUT, SOCKETS))
    chain = canvas.nodes[-1]
    canvas.links.append([len(canvas.links) + 1, chain["id"], 0, OUTPUT, 0, "VIDEO"])
    chain["outputs"][0]["links"].append(len(canvas.links))
    node = {"id": 1, "type": number, "pos": [0, 0], "size": [360, 260], "flags": {}, "order": 0, "mode": 0}
    node |= {
        "title": NAME,
        "inputs": [{"name": name, "type": kind, "link": None} for name, kind in SOCKETS],
        "outputs": [{"name": "video", "type": "VIDEO", "links": None}],
        "properties": {"proxyWidgets": [[str(inner["id"]), name] for inner, name in widgets]},
        "widgets_values": [],
    }
    return {
        "revision": 0,
        "last_node_id": 1,
        "last_link_id": 0,
        "nodes": [node],
        "links": [],
        "version": 0.4,
        "definitions": {"subgraphs": [_definition(canvas, number, source)]},
        "extra": {"BlueprintDescription": DESCRIPTION, "BlueprintSearchAliases": ALIASES},
    }


def _draw(canvas: Canvas, source: dict) -> list[tuple[dict, str]]:
    """Add the nodes, the chainer last. Returns the widgets that the blueprint's node shows."""
    loader = canvas.add("EMOModelLoader", 0)
    model = (loader, "model")
    located = canvas.add("FaceLocatorMask", 1, height=540, model=model, image=(source, "portrait"))
    encoded = canvas.add("VAEEncode", 1, pixels=(located, "crop"), vae=(loader, "vae"))
    features = canvas.add("LoadAudioWav2Vec", 1, model=model, audio=(source, "voice"))
    chain = canvas.add(
        "MotionFrameChainer",
        2,
        model=model,
        reference=(encoded, "LATENT"),
        emo_audio=(features, "emo_audio"),
        mask=(located, "mask"),
        vae=(loader, "vae"),
    )
    shown = [(chain, name) for name in ("seed", "control_after_generate", "steps", "audio_scale", "seconds")]
    return [(loader, "checkpoint"), (located, "expand"), *shown]


def _boundary(number: int, sockets: list[tuple[str, str]]) -> dict:
    """A side of the subgraph, as a node that can be wired."""
    return {"id": number, "outputs": [{"name": name, "type": kind, "links": []} for name, kind in sockets]}


def _definition(canvas: Canvas, number: str, source: dict) -> dict[str, Any]:
    state = {
        "lastGroupId": 0,
        "lastNodeId": len(canvas.nodes),
        "lastLinkId": len(canvas.links),
        "lastRerouteId": 0,
    }
    names = ("id", "origin_id", "origin_slot", "target_id", "target_slot", "type")
    last = canvas.links[-1][0]
    return {
        "id": number,
        "version": 1,
        "state": state,
        "revision": 0,
        "config": {},
        "name": NAME,
        "inputNode": {"id": INPUT, "bounding": [-260, 200, 120, 80]},
        "outputNode": {"id": OUTPUT, "bounding": [1240, 200, 120, 60]},
        "inputs": [
            {"id": str(_identity(s["name"])), "name": s["name"], "type": s["type"], "linkIds": s["links"]}
            for s in source["outputs"]
        ],
        "outputs": [{"id": str(_identity("video")), "name": "video", "type": "VIDEO", "linkIds": [last]}],
        "widgets": [],
        "nodes": canvas.nodes,
        "groups": [],
        "links": [dict(zip(names, link, strict=True)) for link in canvas.links],
        "extra": {},
        "category": "EMO",
        "description": DESCRIPTION,
    }


def _identity(name: str) -> uuid.UUID:
    """The same id at every export."""
    return uuid.uuid5(uuid.NAMESPACE_OID, f"emo-talking-portrait/{name}")
