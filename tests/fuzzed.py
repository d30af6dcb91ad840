"""Undamaged files for `tools.fuzz`, and a command's run in this process."""

import contextlib
import io
import json
import logging
import shutil
from pathlib import Path

import av
import numpy as np
import torch
from PIL import Image

from emo_core.__main__ import main
from emo_core.audio.encoder import AudioEncoder
from emo_core.emo.models.emo import EMO
from emo_core.emo.models.vae import VAE
from emo_core.emo.weights.checkpoint import save_checkpoint
from emo_core.face.motion import FaceMotion
from emo_core.face.motion_file import save_motion
from tests.client.server import FakeServer
from tests.conftest import CONFIG, ROOT, awake, tone
from tests.emote.conftest import save_feeling_model

TABLES = (
    'Motion Frame Chainer (EMO).seed,name\n7,first\n8,"second, with comma"\n',
    "name;Motion Frame Chainer (EMO).seed\r\nJörg;1\r\nZoë;2\r\n",
)


def write_good_files(folder: Path, kind: str) -> list[Path]:
    """Write the files of a kind."""
    folder.mkdir(parents=True)
    if kind in ("sound", "voice"):
        return [_sound(folder / f"voice.{ending}") for ending in ("wav", "mp3", "flac", "m4a", "ogg")]
    if kind in ("picture", "mask"):
        return _pictures(folder, kind)
    if kind == "checkpoint":
        torch.manual_seed(0)
        parts = {
            "emo": awake(EMO(CONFIG)),
            "vae": VAE(CONFIG.vae),
            "audio_encoder": AudioEncoder.from_config(CONFIG.audio),
        }
        save_checkpoint(folder / "tiny.safetensors", CONFIG, parts, dtype=torch.float32)
        return [folder / "tiny.safetensors"]
    if kind == "emote":
        return [save_feeling_model(folder / "emote.safetensors")]
    if kind == "film":
        return [Path(shutil.copy(ROOT / "assets" / "performance.mp4", folder / "film.mp4"))]
    if kind == "motion":
        save_motion(FaceMotion.still(8, 25), folder / "motion.safetensors")
        return [folder / "motion.safetensors"]
    if kind == "workflow":
        sources = [*sorted((ROOT / "workflows").glob("*.json")), *sorted((ROOT / "workflows" / "api").glob("*.json"))]
        return [Path(shutil.copy(path, folder / f"{number}-{path.name}")) for number, path in enumerate(sources)]
    for number, text in enumerate(TABLES):
        (folder / f"{number}.csv").write_text(text)
    return sorted(folder.glob("*.csv"))


def _pictures(folder: Path, kind: str) -> list[Path]:
    names = {"picture": ("p.png", "p.jpg", "p.webp"), "mask": ("m.png", "m.jpg")}[kind]
    picture = Image.open(ROOT / "assets" / "portrait.png").convert("RGB")
    if kind == "mask":
        picture = Image.fromarray(np.pad(np.full((120, 100), 255, np.uint8), [(70, 66), (80, 76)]))
    for name in names:
        picture.save(folder / name)
    return [folder / name for name in names]


def _sound(path: Path) -> Path:
    wave = tone(1.0, 48000)
    codec = {"wav": "pcm_s16le", "mp3": "libmp3lame", "flac": "flac", "m4a": "aac", "ogg": "libopus"}[path.suffix[1:]]
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=48000, layout="stereo")
        context = stream.codec_context
        resampler = av.AudioResampler(
            format=context.format.name, layout="stereo", rate=48000, frame_size=context.frame_size or None
        )
        frame = av.AudioFrame.from_ndarray(np.stack([wave, wave]), format="fltp", layout="stereo")
        frame.sample_rate = 48000
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))
    return path


def run_command_here(arguments: list[str]) -> tuple[int, str]:
    """Exit code and stderr of a command. A server is started for `queue`."""
    torch.set_num_threads(1)
    handler = logging.StreamHandler(errors := io.StringIO())
    logging.getLogger().addHandler(handler)
    try:
        with contextlib.redirect_stderr(errors), contextlib.redirect_stdout(io.StringIO()):
            if "SERVER" not in arguments:
                return _exit_code(arguments), errors.getvalue()
            with FakeServer(info=_nodes()) as server:
                named = [server.url if part == "SERVER" else part for part in arguments]
                return _exit_code(named), errors.getvalue()
    except BaseException:  # noqa: BLE001 -- whatever comes is the result
        import traceback

        return 1, errors.getvalue() + traceback.format_exc()
    finally:
        logging.getLogger().removeHandler(handler)


def _exit_code(arguments: list[str]) -> int:
    try:
        return main(arguments)
    except SystemExit as end:  # --help
        return int(end.code or 0)


def _nodes() -> dict:
    files = [ROOT / "tests" / "contract" / f"{name}.json" for name in ("host_nodes", "nodes")]
    return {kind: node for file in files for kind, node in json.loads(file.read_text()).items()}
