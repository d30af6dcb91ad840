"""The nodes' public face: ids, sockets and defaults are saved in people's workflows, and may not change by accident."""

import ast
import importlib.util
import json
import re

import pytest

from emo_core.client.check import problems
from emo_core.client.convert import to_api
from tests.conftest import ROOT
from tests.contract.test_architecture import imports
from tests.pack import node_info
from tools.export_nodes import HELP, NODE_LIST, SNAPSHOT, as_json, help_page, node_list
from tools.workflow_graphs import GRAPHS
from tools.workflows import FOLDER, Canvas, known_nodes

INFO = json.loads(SNAPSHOT.read_text())
KNOWN = known_nodes()
AGAIN = "changed on purpose? run `make nodes`"
WORKFLOWS = sorted(path.stem for path in FOLDER.glob("*.json"))


def test_the_snapshot_is_what_the_nodes_say():
    assert node_info() == INFO, AGAIN


def test_the_managers_list_is_current():
    assert NODE_LIST.read_text() == as_json(node_list(INFO)), AGAIN


@pytest.mark.parametrize("name", INFO)
def test_help_pages_are_current(name):
    text = (HELP / f"{name}.md").read_text()
    assert text == help_page(text, INFO[name]), AGAIN
    assert len(text.partition("<!--")[0]) > 300


def test_a_draft_takes_as_many_steps_wherever_it_is_named():
    tooltip = INFO["EMOSampler"]["input"]["required"]["steps"][1]["tooltip"]
    named = [
        re.search(r"(\d+) make a good draft", tooltip),
        re.search(r"(\d+) steps make a good draft", (ROOT / "README.md").read_text()),
        re.search(r"For a draft, (\d+) `steps`", (FOLDER / "talk.json").read_text()),
    ]
    assert len({found[1] for found in named}) == 1


def test_node_ids_are_literals():
    """ComfyUI-Manager finds nodes by reading the source."""
    source = "".join(path.read_text() for path in (ROOT / "nodes").rglob("*.py"))
    assert set(re.findall(r'node_id="(\w+)"', source)) == set(INFO)


def test_execute_is_glue():
    """At most 15 lines that call the core."""
    for path in (ROOT / "nodes").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef) and node.name == "execute":
                body = [line for statement in node.body for line in ast.unparse(statement).splitlines()]
                assert len(body) <= 15, path


def test_every_workflow_is_there_in_full():
    assert set(WORKFLOWS) == set(GRAPHS)
    for name in WORKFLOWS:
        assert (FOLDER / f"{name}.jpg").stat().st_size < 100_000
        content = json.loads((FOLDER / f"{name}.json").read_text())
        assert content["version"] == 0.4
        assert content["groups"]
        assert any(node["type"] == "MarkdownNote" for node in content["nodes"])


@pytest.mark.parametrize("name", WORKFLOWS)
def test_workflows_are_right(name):
    """Only the host's own nodes and ours; every input known; the twin is what the browser would send."""
    ui = json.loads((FOLDER / f"{name}.json").read_text())
    api = json.loads((FOLDER / "api" / f"{name}.json").read_text())
    assert problems(api, KNOWN) == []
    assert to_api(ui, KNOWN) == api
    canvas = Canvas(KNOWN)
    GRAPHS[name](canvas)
    assert json.loads(as_json(canvas.as_json())) == ui, AGAIN


def test_the_registry_reads_the_same_requirements():
    tomllib = pytest.importorskip("tomllib", reason="Python 3.11")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    lines = [line for line in (ROOT / "requirements.txt").read_text().splitlines() if line and not line.startswith("#")]
    assert project["project"]["dependencies"] == lines
    assert not [line for line in lines if line.startswith(("torch", "numpy"))]
    assert (ROOT / project["tool"]["comfy"]["Icon"]).is_file()


def test_the_registrys_archive_works():
    """What .comfyignore leaves out is nothing that a node imports or shows."""
    ignored = [line for line in (ROOT / ".comfyignore").read_text().splitlines() if line and not line.startswith("#")]
    needed = {"__init__.py", "nodes/", "emo_core/", "models/", "web/", "workflows/", "requirements.txt", "assets/"}
    assert not needed & set(ignored)
    gone = {line.strip("/").replace("/", ".") for line in ignored if line.startswith("emo_core/")}
    modules = [*(ROOT / "nodes").rglob("*.py"), *(ROOT / "emo_core").rglob("*.py")]
    wrong = {
        f"{path.relative_to(ROOT)} imports {name}"
        for path in modules
        if not str(path.relative_to(ROOT)).replace("/", ".").startswith(tuple(gone))
        for name in imports(path)
        if name.startswith(tuple(gone))
    }
    assert wrong == set()


def test_the_root_imports_nothing():
    """ComfyUI imports the root of every pack at start; ours waits until it is asked."""
    spec = importlib.util.spec_from_file_location("pack_root", ROOT / "__init__.py")
    tree = ast.parse((ROOT / "__init__.py").read_text())
    assert not [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert (ROOT / module.WEB_DIRECTORY).is_dir()
