"""Write the files that are derived from the node schemas: `python -m tools.export_nodes`.

These are the snapshot (tests/contract/nodes.json), node_list.json, the translations (locales), and the lists of inputs and outputs
in the help pages (web/docs).
"""

import json
from pathlib import Path
from typing import Any

from tests.pack import node_info
from tools.export_locales import export, languages

ROOT = Path(__file__).resolve().parents[1]
SNAPSHOT = ROOT / "tests" / "contract" / "nodes.json"
NODE_LIST = ROOT / "node_list.json"
HELP = ROOT / "web" / "docs"
MARK = "<!-- The lists below are generated from the node's schema by `make nodes`. -->\n"


def main() -> None:
    """Write all files."""
    info = node_info()
    SNAPSHOT.write_text(as_json(info))
    NODE_LIST.write_text(as_json(node_list(info)))
    for name, node in info.items():
        page = HELP / f"{name}.md"
        page.write_text(help_page(page.read_text() if page.exists() else "", node))
    export(info, languages())


def as_json(content: Any) -> str:
    """JSON as it is stored in the repository."""
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def node_list(info: dict[str, Any]) -> dict[str, str]:
    """Id and description of every node, for ComfyUI-Manager."""
    return {name: node["description"] for name, node in info.items()}


def help_page(text: str, node: dict[str, Any]) -> str:
    """The page with new lists, which fit the host's narrow panel. The text above the mark is written by hand and kept."""
    words = text.partition(MARK)[0] or f"# {node['display_name']}\n\n{node['description']}\n\n"
    inputs = [
        f"- **{name}** ({_kind(spec)}{_default(spec)}{'' if group == 'required' else ', optional'}): {_line(spec[1]['tooltip'])}"
        for group in ("required", "optional")
        for name, spec in node["input"].get(group, {}).items()
    ]
    outputs = [
        f"- **{name}** ({kind}): {_line(tooltip)}"
        for name, kind, tooltip in zip(node["output_name"], node["output"], node["output_tooltips"], strict=True)
    ]
    return words + MARK + "\n" + "\n".join(["## Inputs", "", *inputs, "", "## Outputs", "", *outputs]) + "\n"


def _line(text: str) -> str:
    return text.replace("\n", " ")


def _kind(spec: list) -> str:
    return " or ".join(spec[0].split(","))


def _default(spec: list) -> str:
    default = spec[1].get("default")
    return "" if default in (None, "") else f", default {default}"


if __name__ == "__main__":
    main()
