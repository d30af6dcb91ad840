"""The runtime needs neither accelerate, which only training installs, nor diffusers, which only these tests do."""

import ast
import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL
from PIL import Image

from emo_core.audio.encoder import AudioEncoder
from tests.conftest import CONFIG, ROOT

PROGRAM = """
import json, sys
sys.modules |= {"accelerate": None, "diffusers": None}  # Their import raises ImportError.
from emo_core.__main__ import main
def exit_code(arguments):
    try:
        return main(arguments)
    except SystemExit as end:  # argparse ends --help so.
        return end.code
print(json.dumps([exit_code(arguments) for arguments in json.loads(sys.argv[1])]))
"""
READ_FOLDERS = """
import sys
sys.modules |= {"accelerate": None, "diffusers": None}
from dataclasses import replace
from pathlib import Path
from emo_core.audio.encoder import load_encoder
from emo_core.emo.config import SD15
from emo_core.emo.weights.sd15_vae import load_sd15_vae
from tests.conftest import CONFIG
folder = Path(sys.argv[1])
assert load_encoder(folder / "wav2vec2", CONFIG.audio).layers == CONFIG.audio.layers
config = replace(SD15, vae=replace(SD15.vae, widths=(32, 32, 64, 64)))
assert load_sd15_vae(folder / "sd", config) is not None
"""


def run(program, argument):
    done = subprocess.run([sys.executable, "-c", program, str(argument)], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done


def test_animate_weights_info_and_queue(checkpoint, voice, tmp_path):
    Image.fromarray(np.full((64, 64, 3), 128, np.uint8)).save(tmp_path / "portrait.png")
    (tmp_path / "workflow.json").write_text('{"1": {"class_type": "LoadImage", "inputs": {}}}')
    video = tmp_path / "video.mp4"
    animate = ["animate", "--portrait", tmp_path / "portrait.png", "--audio", voice, "--out", video]
    animate += ["--checkpoint", checkpoint, "--face-region", "10,10,40,40", "--steps", "1", "--device", "cpu"]
    animate += ["--max-seconds", "0.2"]
    queue = ["queue", tmp_path / "workflow.json", "--server", "http://127.0.0.1:9", "--out", tmp_path / "results"]
    commands = [[str(part) for part in command] for command in (animate, ["weights", "info", checkpoint], queue)]
    done = run(PROGRAM, json.dumps(commands))
    assert json.loads(done.stdout.splitlines()[-1]) == [0, 0, 3], done.stderr  # No server answers at port 9.
    assert video.is_file()
    assert "cannot be reached" in done.stderr


def test_help_and_training_name_the_missing_package():
    done = run(PROGRAM, json.dumps([["--help"], ["train"]]))
    assert json.loads(done.stdout.splitlines()[-1]) == [0, 2]
    assert "needs accelerate: pip install" in " ".join(done.stdout.split())
    assert "error: train needs accelerate" in done.stderr


@pytest.mark.slow
def test_folders_of_transformers_and_diffusers(tmp_path):
    torch.manual_seed(0)
    AudioEncoder.from_config(CONFIG.audio).net.save_pretrained(tmp_path / "wav2vec2")
    AutoencoderKL(
        block_out_channels=(32, 32, 64, 64), layers_per_block=2, down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
    ).save_pretrained(tmp_path / "sd" / "vae")  # fmt: skip
    run(READ_FOLDERS, tmp_path)


def test_only_tests_import_diffusers():
    for folder in ("emo_core", "nodes", "recipes", "tools"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
                assert "diffusers" not in {name.split(".")[0] for name in names}, path
