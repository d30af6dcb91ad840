"""Write the translation files of the nodes: `python -m tools.export_locales [LANGUAGE ...]`.

`locales/LANGUAGE/nodeDefs.json` gets an entry for every text of the schemas. Translations that are there are kept, new texts are
written in English, and texts that no schema has any more are removed. Without arguments all languages in `locales` are updated.
English itself needs no file: the host takes the schemas' texts.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from tests.pack import node_info

ROOT = Path(__file__).resolve().parents[1]
LOCALES = ROOT / "locales"
NODES, REST = "nodeDefs.json", "main.json"
"""File names of the host: texts of nodes, and the others (names of categories and of socket types)."""


def main() -> None:
    """Write the files."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("languages", nargs="*", default=languages(), help="codes of the host, such as zh, ja or de")
    export(node_info(), parser.parse_args().languages)


def languages() -> list[str]:
    """The languages in `locales`."""
    return sorted(path.name for path in LOCALES.iterdir())


def export(info: dict[str, Any], codes: list[str]) -> None:
    """Write the files of some languages. `info` is the answer of `/object_info`."""
    for code in codes:
        folder = LOCALES / code
        folder.mkdir(parents=True, exist_ok=True)
        for name, english in ((NODES, node_texts(info)), (REST, other_texts(info))):
            path = folder / name
            known = json.loads(path.read_text()) if path.exists() else {}
            path.write_text(json.dumps(merged(english, known), indent=1, ensure_ascii=False) + "\n")


def node_texts(info: dict[str, Any]) -> dict[str, Any]:
    """English texts of all nodes, in the host's layout."""
    return {
        name: {
            "display_name": node["display_name"],
            "description": node["description"],
            "inputs": _input_texts(node),
            "outputs": {
                str(slot): {"name": label, "tooltip": tooltip}
                for slot, (label, tooltip) in enumerate(zip(node["output_name"], node["output_tooltips"], strict=True))
            },
        }
        for name, node in info.items()
    }


def other_texts(info: dict[str, Any]) -> dict[str, Any]:
    """English names of the pack's categories and socket types."""
    nodes = info.values()
    kinds = {spec[0] for node in nodes for group in ("required", "optional") for spec in _group(node, group).values()}
    kinds |= {kind for node in nodes for kind in node["output"]}
    own = sorted(kind for kind in kinds if kind.startswith("EMO_") or kind == "FACE_MOTION")
    categories = {part: part for node in nodes for part in node["category"].split("/")}
    return {"nodeCategories": categories, "dataTypes": {kind: kind for kind in own}}


def merged(english: dict[str, Any], known: dict[str, Any]) -> dict[str, Any]:
    """The English texts, each replaced by its translation if there is one."""
    return {
        key: merged(text, known.get(key, {})) if isinstance(text, dict) else known.get(key, text)
        for key, text in english.items()
    }


def _input_texts(node: dict[str, Any]) -> dict[str, Any]:
    texts = {}
    for group in ("required", "optional"):
        for name, spec in _group(node, group).items():
            texts[name] = {"name": name, "tooltip": spec[1]["tooltip"]}
            if spec[1].get("control_after_generate"):
                texts["control_after_generate"] = {"name": "control after generate"}
    return texts


def _group(node: dict[str, Any], name: str) -> dict[str, Any]:
    return node["input"].get(name, {})


if __name__ == "__main__":
    main()
