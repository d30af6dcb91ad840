"""A workflow while it is drawn, as the browser saves it."""

import json
from dataclasses import dataclass, field
from typing import Any

from emo_core.client.convert import WIDGETS, specs
from tools.export_nodes import SNAPSHOT

EXTRA = {"LoadImage": ["image"], "LoadAudio": [None, None], "LoadVideo": ["image"]}
"""Values of widgets that exist only in the browser: the upload buttons and the player."""
EXAMPLE = "emo_example"
"""Property of a node that shows one of the pack's example files. web/examples.js brings the file to the input folder."""
PREVIEW_HEIGHT = {
    "MotionFrameChainer": 190,
    "EMOSampler": 190,
    "AnimatePortrait": 190,
    "PreviewFaceMotion": 190,
    "EMOVideoGrid": 190,
}
"""Pixels for the preview that a node shows while it runs."""
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
    extra: dict[str, Any] = field(default_factory=dict)

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
        if kind in EXTRA:
            node["properties"][EXAMPLE] = values[0]
        return node

    def download(self, node: dict, name: str, url: str, folder: str) -> None:
        """Tell the host where a loader's file comes from. It offers the download if the file is missing."""
        node["properties"]["models"] = [{"name": name, "url": url, "directory": folder}]

    def app(self, inputs: list[tuple[dict, str]], outputs: list[dict]) -> None:
        """Choose the widgets and the results that the host's App mode shows. The workflow opens as a graph."""
        chosen = [[str(node["id"]), widget] for node, widget in inputs]
        self.extra["linearData"] = {"inputs": chosen, "outputs": [str(node["id"]) for node in outputs]}
        self.extra["linearMode"] = False

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

    def group_columns(self, *groups: tuple[str, int]) -> None:
        """Draw groups side by side from the left, each with a title and around so many columns."""
        first = 0
        for title, columns in groups:
            self.group(title, first, first + columns - 1)
            first += columns

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
            "extra": self.extra,
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
