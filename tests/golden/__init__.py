"""Golden data: keys and shapes of public checkpoints in this folder, recorded numbers in a folder beside the repository."""

import json
from pathlib import Path

import pytest

from tests.conftest import ROOT

FOLDER = Path(__file__).parent
HALLO_NUMBERS = ROOT.parent / "shared" / "golden" / "hallo"
needs_hallo_numbers = pytest.mark.skipif(
    not HALLO_NUMBERS.is_dir(), reason=f"no numbers recorded from Hallo at {HALLO_NUMBERS}"
)


def read_golden(name: str) -> dict:
    return json.loads((FOLDER / f"{name}.json").read_text())


def manifest(name: str) -> dict[str, tuple[int, ...]]:
    """Key -> shape of a public checkpoint."""
    content = read_golden(name)
    return {key: tuple(shape) for key, shape in content.get("keys", content).items()}
