"""The example files of the pack's workflows. `web/examples.js` copies them into the input folder when a workflow needs them."""

from pathlib import Path

from ..host.routes import serve_files

ASSETS = Path(__file__).resolve().parents[2] / "assets"
SUFFIXES = (".png", ".jpg", ".wav", ".mp4")


def serve_examples() -> None:
    """Let the browser read the example files."""
    serve_files("/emo/examples", (path for path in sorted(ASSETS.iterdir()) if path.suffix in SUFFIXES))
