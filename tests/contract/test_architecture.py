"""The shape of the code base itself: who may import whom, how long a file may be, what importing does."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HOST = {"comfy", "comfy_api", "comfy_extras", "folder_paths", "nodes", "server", "execution"}
ORDER = ["errors", "config", "conditions", "memory", "audio", "face", "models", "weights", "sampling", "video", "animate",
         "animate_cli", "client", "trainer", "evaluate"]  # fmt: skip
"""Left may not import right."""
MAX_LINES = 300
CORE = sorted((ROOT / "emo_core").rglob("*.py"))
ALL = sorted(path for path in ROOT.rglob("*.py") if ".venv" not in path.parts)


def label(path):
    return str(path.relative_to(ROOT))


def imports(path):
    """Absolute dotted names imported by a module, relative imports resolved against the repository."""
    package = path.relative_to(ROOT).with_suffix("").parts[:-1]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            source = ".".join((*base, *filter(None, [node.module])))
            yield source
            yield from (f"{source}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", ALL, ids=label)
def test_files_stay_short(path):
    assert len(path.read_text().splitlines()) <= MAX_LINES


@pytest.mark.parametrize("path", CORE, ids=label)
def test_core_never_sees_the_host(path):
    assert not {name.split(".")[0] for name in imports(path)} & HOST


@pytest.mark.parametrize("path", CORE, ids=label)
def test_imports_flow_one_way(path):
    layer = path.relative_to(ROOT / "emo_core").with_suffix("").parts[0]
    if layer.startswith("__"):
        return
    later = set(ORDER[ORDER.index(layer) + 1 :])
    assert not {name.split(".")[1] for name in imports(path) if name.startswith("emo_core.")} & later


@pytest.mark.parametrize("path", CORE, ids=label)
def test_imports_inside_the_pack_are_relative(path):
    """ComfyUI loads a pack under a path-derived name, so `import emo_core` finds nothing there."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and not node.level:
            assert (node.module or "").split(".")[0] != "emo_core"


def test_importing_does_nothing():
    """No download, folder, file or output: only definitions."""
    program = (
        "import socket, pathlib, sys\n"
        "def stop(*a, **k): raise AssertionError('network at import')\n"
        "socket.socket.connect = stop\n"
        "before = sorted(str(p) for p in pathlib.Path('.').iterdir())\n"
        "import emo_core.animate, emo_core.__main__\n"
        "assert 'mediapipe' not in sys.modules\n"
        "assert before == sorted(str(p) for p in pathlib.Path('.').iterdir())\n"
    )
    done = subprocess.run([sys.executable, "-B", "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
