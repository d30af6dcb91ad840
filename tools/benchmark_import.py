"""Measure the time that the pack adds to ComfyUI's start: `python -m tools.benchmark_import [--runs N]`.

Each run is a new process. It imports torch and the host's API, then measures the import of the pack and the reading of its
node schemas. It uses the fake host of the tests, or a real one with EMO_REAL_HOST=COMFYUI_PATH and that host's Python.
"""

import argparse
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PROGRAM = """
import sys, time
sys.path.insert(0, '')
import torch
from tests.pack import host_path, node_classes
sys.path.insert(0, str(host_path()))
import comfy_api.latest, comfy.cli_args
comfy.cli_args.args.cpu = True
import comfy.model_management, latent_preview, folder_paths
start = time.perf_counter()
nodes = node_classes()
print(time.perf_counter() - start)
heavy = [name for name in ('mediapipe', 'accelerate', 'cv2') if name in sys.modules]
assert not heavy, heavy
"""


def main() -> None:
    """Print the median of the runs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=7, help="number of processes")
    runs = parser.parse_args().runs
    seconds = [
        float(
            subprocess.run([sys.executable, "-c", PROGRAM], cwd=ROOT, check=True, capture_output=True, text=True).stdout
        )
        for _ in range(runs)
    ]
    print(f"import: median {statistics.median(seconds):.3f} s of {runs} ({min(seconds):.3f} .. {max(seconds):.3f})")


if __name__ == "__main__":
    main()
