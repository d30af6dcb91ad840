"""Write the example workflows and the blueprint: `python -m tools.workflows [--server URL]`.

The UI files are drawn by `tools.workflow_graphs`; the API files are converted from them by the client. With a server, the
schemas of ComfyUI's own nodes are updated first (tests/contract/host_nodes.json).
"""

import argparse
import json
import urllib.request
from pathlib import Path
from typing import Any

from emo_core.client.convert import to_api
from tools.blueprint import FILE as BLUEPRINT
from tools.blueprint import blueprint
from tools.canvas import Canvas
from tools.export_nodes import SNAPSHOT, as_json
from tools.workflow_graphs import GRAPHS

ROOT = Path(__file__).resolve().parents[1]
ASSETS = ROOT / "assets"
FOLDER = ROOT / "workflows"
HOST_SNAPSHOT = SNAPSHOT.with_name("host_nodes.json")
HOST_NODES = ["LoadImage", "LoadAudio", "VAEEncode", "VAEDecode", "VAELoader", "AudioEncoderLoader", "AudioEncoderEncode", "SaveVideo",
        "LoadVideo", "CreateVideo", "PreviewImage", "PreviewAny", "MaskToImage", "Preview3D"]  # fmt: skip
FILES = {
    "LoadImage": sorted(path.name for path in ASSETS.iterdir() if path.suffix in (".png", ".jpg")),
    "LoadAudio": sorted(path.name for path in ASSETS.glob("*.wav")),
    "LoadVideo": sorted(path.name for path in ASSETS.glob("*.mp4")),
    "VAELoader": ["vae-ft-mse-840000-ema-pruned.safetensors"],
    "AudioEncoderLoader": ["wav2vec2-base-960h.safetensors"],
}
"""Menus of these nodes in the stored schemas: the files of the examples, not those of one machine."""
HALLO_FILE, FEW_STEP = "hallo.safetensors", "emo-mini-few (built in)"


def main() -> None:
    """Write all workflows."""
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
    BLUEPRINT.parent.mkdir(exist_ok=True)
    BLUEPRINT.write_text(as_json(blueprint(info)))


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
    info["EMOModelLoader"]["input"]["required"]["checkpoint"][1]["options"].extend([FEW_STEP, HALLO_FILE])
    return info


if __name__ == "__main__":
    main()
