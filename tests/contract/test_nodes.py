"""The public interface of the nodes. Ids, sockets and defaults are stored in users' workflows and must not change by accident."""

import ast
import importlib.util
import json
import re

import pytest

from emo_core.client.check import problems
from emo_core.client.convert import to_api
from tests.conftest import ROOT
from tests.contract.test_architecture import MODELS, imports
from tests.pack import node_info
from tools.canvas import Canvas
from tools.export_nodes import HELP, NODE_LIST, SNAPSHOT, as_json, help_page, node_list
from tools.workflow_graphs import GRAPHS
from tools.workflows import FOLDER, known_nodes

INFO = json.loads(SNAPSHOT.read_text())
KNOWN = known_nodes()
RERUN = "if the change is intended, run `make nodes`"
WORKFLOWS = sorted(path.stem for path in FOLDER.glob("*.json"))


def test_the_snapshot_equals_the_schemas():
    assert node_info() == INFO, RERUN


def test_the_managers_list_is_current():
    assert NODE_LIST.read_text() == as_json(node_list(INFO)), RERUN


@pytest.mark.parametrize("name", INFO)
def test_help_pages_are_current(name):
    text = (HELP / f"{name}.md").read_text()
    assert text == help_page(text, INFO[name]), RERUN
    assert len(text.partition("<!--")[0]) > 300


def test_tooltip_readme_and_workflow_name_the_same_draft_steps():
    tooltip = INFO["EMOSampler"]["input"]["required"]["steps"][1]["tooltip"]
    numbers = {
        re.search(r"(\d+) make a good draft", tooltip)[1],
        re.search(r"(\d+) steps make a good draft", (ROOT / "README.md").read_text())[1],
        re.search(r"For a draft, (\d+) \*\*steps", (FOLDER / "talk.json").read_text())[1],
    }
    assert len(numbers) == 1


def test_node_ids_are_literals():
    """ComfyUI-Manager finds node ids by scanning the source."""
    source = "".join(path.read_text() for path in (ROOT / "nodes").rglob("*.py"))
    assert set(re.findall(r'node_id="(\w+)"', source)) == set(INFO)


def test_shared_host_code_knows_no_model():
    """nodes/host imports neither the nodes of a model nor a model's part of the core."""
    wings = {f"{folder}.{wing}" for folder in ("nodes", "emo_core") for wing in MODELS}
    wrong = {
        f"{path.relative_to(ROOT)} imports {name}"
        for path in (ROOT / "nodes" / "host").rglob("*.py")
        for name in imports(path)
        if ".".join(name.split(".")[:2]) in wings
    }
    assert wrong == set()


def test_execute_only_calls_other_code():
    """At most 15 lines."""
    for path in (ROOT / "nodes").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef) and node.name == "execute":
                body = [line for statement in node.body for line in ast.unparse(statement).splitlines()]
                assert len(body) <= 15, path


def test_every_workflow_has_a_graph_a_thumbnail_a_note_and_groups():
    assert set(WORKFLOWS) == set(GRAPHS)
    for name in WORKFLOWS:
        assert (FOLDER / f"{name}.jpg").stat().st_size < 100_000
        content = json.loads((FOLDER / f"{name}.json").read_text())
        assert content["version"] == 0.4
        assert content["groups"]
        assert any(node["type"] == "MarkdownNote" for node in content["nodes"])


@pytest.mark.parametrize("name", WORKFLOWS)
def test_workflows_use_known_nodes_and_equal_their_api_twin(name):
    """Only nodes of the host and ours, and only their inputs; the API file equals the prompt of the browser."""
    ui = json.loads((FOLDER / f"{name}.json").read_text())
    api = json.loads((FOLDER / "api" / f"{name}.json").read_text())
    assert problems(api, KNOWN) == []
    assert to_api(ui, KNOWN) == api
    canvas = Canvas(KNOWN)
    GRAPHS[name](canvas)
    assert json.loads(as_json(canvas.as_json())) == ui, RERUN


def test_nothing_is_installed_inside_comfyui():
    """pyproject.toml and requirements.txt agree."""
    tomllib = pytest.importorskip("tomllib", reason="Python 3.11")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    lines = [line for line in (ROOT / "requirements.txt").read_text().splitlines() if line and not line.startswith("#")]
    assert project["project"]["dependencies"] == lines == []
    assert (ROOT / project["tool"]["comfy"]["Icon"]).is_file()


def test_the_registrys_archive_contains_everything_that_the_nodes_import():
    """.comfyignore leaves out only files that neither a node nor a kept command imports."""
    ignored = [line for line in (ROOT / ".comfyignore").read_text().splitlines() if line and not line.startswith("#")]
    needed = {"__init__.py", "nodes/", "emo_core/", "models/", "web/", "workflows/", "requirements.txt", "assets/"}
    needed |= {"subgraphs/", "locales/"}
    assert not needed & set(ignored)
    assert [line for line in ignored if not (ROOT / line).exists()] == []
    absent = {line.strip("/").replace("/", ".") for line in ignored if line.startswith("emo_core/")}
    modules = [*(ROOT / "nodes").rglob("*.py"), *(ROOT / "emo_core").rglob("*.py")]
    wrong = {
        f"{path.relative_to(ROOT)} imports {name}"
        for path in modules
        if not str(path.relative_to(ROOT)).replace("/", ".").startswith(tuple(absent))
        for name in imports(path)
        if name.startswith(tuple(absent))
    }
    assert wrong == set()


def test_the_root_imports_nothing():
    """ComfyUI imports the root of every pack at start; ours imports the nodes when ComfyUI asks for them."""
    spec = importlib.util.spec_from_file_location("pack_root", ROOT / "__init__.py")
    tree = ast.parse((ROOT / "__init__.py").read_text())
    assert not [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert (ROOT / module.WEB_DIRECTORY).is_dir()
