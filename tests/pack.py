"""Load the pack as ComfyUI does: from its path, under a name that is not its own."""

import asyncio
import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[1]
NAME = "custom_nodes_ComfyUI-EMO"
REAL_HOST = "EMO_REAL_HOST"
"""A ComfyUI checkout, set by `make host`, on which the tests in `tests/nodes` run."""

OWN_MENUS = [("EMOModelLoader", "checkpoint", 1), ("SpeechToFaceMotion", "model", 1), ("LoadFaceMotion", "file", -1)]
"""Menus that list files, and how many of their entries are the pack's own, from the start or (negative) from the end."""


def host_path() -> Path:
    """The ComfyUI checkout in EMO_REAL_HOST, else the fake host."""
    return Path(os.environ.get(REAL_HOST) or ROOT / "tests" / "fake_host")


def load_pack() -> ModuleType:
    """Import the pack's root module, and make the host importable."""
    if NAME in sys.modules:
        return sys.modules[NAME]
    sys.path.insert(0, str(host_path()))
    if os.environ.get(REAL_HOST):
        from comfy.cli_args import args

        args.cpu = True  # Before the host looks for a GPU.
    # Before the pack's own `nodes`: pytest puts the repository before the host on the path if its folder is no Python name.
    importlib.import_module("nodes")
    spec = importlib.util.spec_from_file_location(NAME, ROOT / "__init__.py", submodule_search_locations=[str(ROOT)])
    module = importlib.util.module_from_spec(spec)
    sys.modules[NAME] = module
    spec.loader.exec_module(module)
    return module


def node_classes() -> dict[str, type]:
    """The node classes by id, from the pack's entry point."""
    pack = load_pack()

    async def ask() -> list[type]:
        return await (await pack.comfy_entrypoint()).get_node_list()

    return {node.GET_SCHEMA().node_id: node for node in asyncio.run(ask())}


def node_info() -> dict[str, dict]:
    """The answer of `/object_info` for every node, as JSON; the menus without the files of this machine."""
    import json

    info = {key: node.GET_NODE_INFO_V1() for key, node in node_classes().items()}
    for entry in info.values():
        entry["python_module"] = "custom_nodes.ComfyUI-EMO"
    return json.loads(json.dumps(without_files(info)))


def without_files(info: dict[str, dict]) -> dict[str, dict]:
    """The schemas with the pack's own entries alone in menus that list files."""
    for node, name, count in OWN_MENUS:
        menu = info[node]["input"]["required"][name][1]
        menu["options"] = menu["options"][:count] if count > 0 else menu["options"][count:]
    return info
