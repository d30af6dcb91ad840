"""Write the example workflows: `python -m tools.workflows [--server URL]`.

The UI files are drawn by `tools.workflow_graphs`; the API files are converted from them by the client. With a server, the
schemas of ComfyUI's own nodes are updated first (tests/contract/host_nodes.json).
"""

import argparse
import json
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from emo_core.client.convert import WIDGETS, specs, to_api
from tools.export_nodes import SNAPSHOT, as_json

ROOT = Path(__file__).resolve().parents[1]
ASSETS = ROOT / "assets"
FOLDER = ROOT / "workflows"
HOST_SNAPSHOT = SNAPSHOT.with_name("host_nodes.json")
HOST_NODES = ["LoadImage", "LoadAudio", "VAEEncode", "VAEDecode", "VAELoader", "AudioEncoderLoader", "AudioEncoderEncode", "SaveVideo",
        "CreateVideo", "PreviewImage", "PreviewAny", "MaskToImage"]  # fmt: skip
FILES = {
    "LoadImage": sorted(path.name for path in ASSETS.glob("*.png")),
    "LoadAudio": sorted(path.name for path in ASSETS.glob("*.wav")),
    "VAELoader": ["vae-ft-mse-840000-ema-pruned.safetensors"],
    "AudioEncoderLoader": ["wav2vec2-base-960h.safetensors"],
}
"""Menus of these nodes in the stored schemas: the files of the examples, not those of one machine."""
EXTRA = {"LoadImage": ["image"], "LoadAudio": [None, None]}
"""Values of widgets that exist only in the browser: the upload buttons and the player."""
PREVIEW_HEIGHT = {"MotionFrameChainer": 190, "EMOSampler": 190}
"""Pixels for the preview that a node shows while it runs."""
HALLO_FILE = "hallo.safetensors"
COLUMN, ROW, TOP = 400, 60, 120
"""Pixels: width of a column, gap between nodes, top of the first node."""
COLOURS = ("#3f789e", "#a1309b", "#8A8", "#b58b2a")


@dataclass
class Canvas:
    """A workflow as the browser saves it (version 0.4)."""

    info: dict[str, Any]
    nodes: list[dict] = field(default_factory=list)
    links: list[list] = field(default_factory=list)
    groups: list[dict] = field(default_factory=list)
    bottoms: dict[float, int] = field(default_factory=dict)

    def add(self, kind: str, column: float, title: str | None = None, height: int = 0, **inputs: Any) -> dict:
        """Add a node below the last one of its column. Inputs are values, or (node, output name) for a link."""
        info, number = self.info[kind], len(self.nodes) + 1
        sockets, values, used = [], [], set()
        for name, spec in specs(info):
            is_widget, value = isinstance(spec[0], list) or spec[0] in WIDGETS, inputs.get(name)
            link = None
            if isinstance(value, tuple):
                link = self._link(value, number, len(sockets), spec[0])
            if not is_widget or link is not None:
                sockets.append({"name": name, "type": spec[0], "link": link})
                if is_widget:
                    sockets[-1]["widget"] = {"name": name}
            if is_widget:
                default = spec[1].get("default") if len(spec) > 1 else None
                menu = spec[0] if isinstance(spec[0], list) else None
                values.append(
                    value if name in inputs and link is None else menu[0] if default is None and menu else default
                )
                if len(spec) > 1 and spec[1].get("control_after_generate"):
                    values.append("fixed")
            used.add(name)
        assert set(inputs) <= used, f"{kind} has no input {set(inputs) - used}"
        outputs = [
            {"name": n, "type": t, "links": []} for n, t in zip(info["output_name"], info["output"], strict=True)
        ]
        height = height or 60 + 24 * (max(len(sockets), len(outputs)) + len(values)) + PREVIEW_HEIGHT.get(kind, 0)
        node = self._node(kind, column, (340, height), title)
        node |= {"inputs": sockets, "outputs": outputs, "widgets_values": values + EXTRA.get(kind, [])}
        ours = kind in json.loads(SNAPSHOT.read_text())
        node["properties"] = {"Node name for S&R": kind, "cnr_id": "emo-talking-portrait" if ours else "comfy-core"}
        return node

    def note(self, column: float, text: str, height: int) -> None:
        """Add a Markdown note."""
        node = self._node("MarkdownNote", column, (340, height), "Note")
        node |= {
            "inputs": [],
            "outputs": [],
            "widgets_values": [text],
            "color": "#432",
            "bgcolor": "#653",
            "properties": {},
        }

    def group(self, title: str, first: float, last: float) -> None:
        """Draw a group around whole columns."""
        bottom = max(y for column, y in self.bottoms.items() if first <= column <= last)
        bounding = [first * COLUMN - 20, TOP - 80, (last - first) * COLUMN + 380, bottom - TOP + 70]
        colour = COLOURS[len(self.groups) % len(COLOURS)]
        group = {
            "id": len(self.groups) + 1,
            "title": title,
            "bounding": bounding,
            "color": colour,
            "font_size": 24,
            "flags": {},
        }
        self.groups.append(group)

    def as_json(self) -> dict[str, Any]:
        """The whole file."""
        return {
            "revision": 0,
            "last_node_id": len(self.nodes),
            "last_link_id": len(self.links),
            "nodes": self.nodes,
            "links": self.links,
            "groups": self.groups,
            "config": {},
            "extra": {},
            "version": 0.4,
        }

    def _node(self, kind: str, column: float, size: tuple[int, int], title: str | None) -> dict:
        y = self.bottoms.get(column, TOP)
        self.bottoms[column] = y + size[1] + ROW
        node = {"id": len(self.nodes) + 1, "type": kind, "pos": [round(column * COLUMN), y], "size": list(size)}
        node |= {"flags": {}, "order": len(self.nodes), "mode": 0}
        if title:
            node["title"] = title
        self.nodes.append(node)
        return node

    def _link(self, source: tuple[dict, str], target: int, slot: int, kind: str) -> int:
        node, name = source
        output = next(i for i, o in enumerate(node["outputs"]) if o["name"] == name)
        number = len(self.links) + 1
        self.links.append([number, node["id"], output, target, slot, node["outputs"][output]["type"]])
        node["outputs"][output]["links"].append(number)
        return number


def main() -> None:
    """Write all workflows."""
    from tools.workflow_graphs import GRAPHS

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--server", help="a running ComfyUI with this pack")
    server = parser.parse_args().server
    if server:
        HOST_SNAPSHOT.write_text(as_json(host_nodes(server)))
    info = known_nodes()
    (FOLDER / "api").mkdir(parents=True, exist_ok=True)
    for name, draw in GRAPHS.items():
        canvas = Canvas(info)
        draw(canvas)
        workflow = canvas.as_json()
        (FOLDER / f"{name}.json").write_text(as_json(workflow))
        (FOLDER / "api" / f"{name}.json").write_text(as_json(to_api(workflow, info)))


def host_nodes(server: str) -> dict[str, Any]:
    """Schemas of the host's own nodes from a running server, with the files of the examples in their menus."""
    with urllib.request.urlopen(f"{server}/object_info") as answer:
        live = json.load(answer)
    schemas = {name: live[name] for name in HOST_NODES}
    for name, files in FILES.items():
        (spec,) = schemas[name]["input"]["required"].values()
        if isinstance(spec[0], list):
            spec[0] = files
        else:
            spec[1]["options"] = files
    return schemas


def known_nodes() -> dict[str, Any]:
    """The stored schemas of the host's nodes and of ours, with the examples' checkpoints in the menu."""
    info = json.loads(HOST_SNAPSHOT.read_text()) | json.loads(SNAPSHOT.read_text())
    info["EMOModelLoader"]["input"]["required"]["checkpoint"][1]["options"].append(HALLO_FILE)
    return info


if __name__ == "__main__":
    main()
