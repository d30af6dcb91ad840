"""The shape of the code base: who may import whom, how long a file may be, what importing does. One test per rule."""

import ast
import subprocess
import sys

from tests.conftest import ROOT

HOST = {"comfy", "comfy_api", "comfy_extras", "comfy_execution", "folder_paths", "latent_preview", "nodes", "server"}
SHARED = "errors curve head_speed emotion smoothing device fields files memory command_line media audio face metrics dataset training".split()
"""Packages that know no model. A package may import those to its left."""
MODELS = ["emo", "portrait", "emote"]
"""Models, side by side: each may import the shared packages and no other model."""
ABOVE = {
    "avatar": {*SHARED, "portrait", "emote", "animate"},
    "animate": {*SHARED, *MODELS},
    "evaluate": {*SHARED, *MODELS, "animate"},
    "client": {"errors", "files"},
}
"""Commands above the models, and what they may import."""
MAX_LINES = 300
EVERYTHING = [path for path in ROOT.rglob("*.py") if ".venv" not in path.parts]
CORE = [path for path in EVERYTHING if path.is_relative_to(ROOT / "emo_core")]


def imports(path):
    """Absolute dotted names that a module imports, relative ones resolved against the repository."""
    package = path.relative_to(ROOT).with_suffix("").parts[:-1]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            source = ".".join((*base, *filter(None, [node.module])))
            yield source
            yield from (f"{source}.{alias.name}" for alias in node.names)


def layer(path):
    return path.relative_to(ROOT / "emo_core").with_suffix("").parts[0]


def allowed(name):
    if name in SHARED:
        return set(SHARED[: SHARED.index(name) + 1])
    return {*SHARED, name} if name in MODELS else ABOVE[name] | {name}


def imported_layers(path):
    return {name.split(".")[1] for name in imports(path) if name.startswith("emo_core.")}


def test_files_stay_short():
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in EVERYTHING}
    assert {name: count for name, count in lengths.items() if count > MAX_LINES} == {}


def test_the_core_never_imports_the_host():
    assert [path for path in CORE if {name.split(".")[0] for name in imports(path)} & HOST] == []


def test_every_package_has_a_place_in_the_order():
    known = {*SHARED, *MODELS, *ABOVE, "__init__", "__main__"}
    assert {layer(path) for path in CORE} == known


def test_imports_run_one_way():
    wrong = {
        f"{path.relative_to(ROOT)} imports {other}"
        for path in CORE
        if not layer(path).startswith("__")
        for other in imported_layers(path) - allowed(layer(path))
    }
    assert wrong == set()


def test_modules_import_in_no_circle():
    graph = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in CORE}
    edges = {
        name: {other for other in imports(path) if other in graph and other != name} for name, path in graph.items()
    }
    while leaves := [name for name, others in edges.items() if not others]:
        edges = {name: others - set(leaves) for name, others in edges.items() if name not in leaves}
    assert edges == {}


def test_imports_inside_the_pack_are_relative():
    """ComfyUI loads a pack under a name made of its path, where `import emo_core` finds nothing."""
    wrong = [
        path
        for path in EVERYTHING
        if path.relative_to(ROOT).parts[0] in ("emo_core", "nodes")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and not node.level and (node.module or "").split(".")[0] == "emo_core"
    ]
    assert wrong == []


def test_importing_does_nothing():
    """No download, folder, file or output: only definitions."""
    program = (
        "import socket, pathlib, sys\n"
        "def stop(*a, **k): raise AssertionError('network at import')\n"
        "socket.socket.connect = stop\n"
        "before = sorted(str(p) for p in pathlib.Path('.').iterdir())\n"
        "import emo_core.emo.animate, emo_core.__main__\n"
        "assert 'mediapipe' not in sys.modules\n"
        "assert before == sorted(str(p) for p in pathlib.Path('.').iterdir())\n"
    )
    done = subprocess.run([sys.executable, "-B", "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
