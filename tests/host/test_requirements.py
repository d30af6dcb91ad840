"""The pack installs nothing into the host: what its nodes import is in the host's own requirements.txt."""

import ast
import re
import sys

import pytest

from tests.conftest import ROOT
from tests.host.conftest import host_folder

pytestmark = pytest.mark.host
PACKAGES = {"PIL": "pillow"}
"""Names in PyPI of modules with another name."""
OWN = {"comfy", "comfy_api", "comfy_execution", "folder_paths", "latent_preview", "nodes", "server"}
"""The host's own modules."""
OPTIONAL = {"mediapipe", "cv2", "insightface", "scenedetect", "filelock"}
"""Imported where they are used: face detection, face embedding, cuts of the trainer's videos, and the commands' lock."""
COMMANDS_ONLY = ("dataset", "evaluate", "metrics", "training")
"""Packages of commands that no node imports (.comfyignore), and the training loop, whose packages Avatar Trainer asks for."""


def test_the_hosts_requirements_name_every_package_that_the_nodes_import():
    lines = (host_folder() / "requirements.txt").read_text().lower().splitlines()
    brought = {re.split(r"[^a-z0-9_.-]", line.strip())[0] for line in lines}
    missing = {
        f"{path.relative_to(ROOT)} imports {name}"
        for path in [*(ROOT / "nodes").rglob("*.py"), *(ROOT / "emo_core").rglob("*.py")]
        if not set(path.relative_to(ROOT).parts) & set(COMMANDS_ONLY)
        for name in absolute_imports(path)
        if name not in sys.stdlib_module_names | OWN | OPTIONAL and PACKAGES.get(name, name) not in brought
    }
    assert missing == set()


def absolute_imports(path):
    """Top-level names of a file's absolute imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module.split(".")[0]
