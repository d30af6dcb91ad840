"""The decoder's fine-tuning in emo-mini's recipe."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from emo_core.audio.encoder import AudioEncoder
from emo_core.dataset.shards import TRAIN
from emo_core.emo.models.emo import EMO
from emo_core.emo.models.vae import VAE
from emo_core.emo.weights.checkpoint import Checkpoint, load_checkpoint
from recipes.emo_mini import finetune_decoder, gather, train
from tests.conftest import CONFIG
from tests.synthetic import write_dataset


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Three clips of one person, two of another and one of a third, as GRID's file names tell them apart."""
    files = ("bbaf2n.mp4", "lgaz8p.mp4", "swab8p.mp4", "s26_bgbsza.mp4", "s26_lbbo3n.mp4", "grid_brbk7n.mp4")
    return write_dataset(tmp_path_factory.mktemp("mini") / "data", clips=6, files=files)


@pytest.mark.slow
def test_the_decoder_changes_and_nothing_else(data, tmp_path, monkeypatch):
    """On finished files of the tests' size."""
    torch.manual_seed(0)
    encoder, vae = AudioEncoder.from_config(CONFIG.audio), VAE(CONFIG.vae)
    for name in ("emo-mini", "emo-mini-few"):
        train.finish(tmp_path, replace(CONFIG, name=name), {"emo": EMO(CONFIG), "vae": vae, "audio_encoder": encoder})
    monkeypatch.setattr(sys, "argv", ["finetune_decoder", "--data", str(data.folder), "--init", str(tmp_path), "--out", str(tmp_path / "out"), "--steps", "3",
                                      "--clips", "4", "--people", "1", "--precision", "no", "--device", "cpu"])  # fmt: skip
    finetune_decoder.main()
    for name in ("emo-mini", "emo-mini-few"):
        before, after = (load_checkpoint(folder / f"{name}.safetensors") for folder in (tmp_path, tmp_path / "out"))
        assert after.config == before.config
        for part in ("emo", "vae", "audio_encoder"):
            new, old = getattr(after, part).state_dict(), getattr(before, part).state_dict()
            changed = {key.split(".")[1] for key in old if not torch.equal(new[key], old[key])}
            assert changed == ({"decoder"} if part == "vae" else set()), part


def test_denoised_latents_lie_near_the_films(data):
    """A network that predicts nothing gives the film back, with the little noise of the last of many steps."""
    torch.manual_seed(0)
    filmed = gather.film(data, TRAIN, torch.device("cpu"))
    chosen = gather.variants(filmed, 1)
    config = replace(CONFIG, vae=replace(CONFIG.vae, scaling_factor=30.0))  # Untrained, it makes small latents.
    emo, vae, encoder = EMO(config), VAE(config.vae).eval(), AudioEncoder.from_config(config.audio).eval()
    torch.nn.init.zeros_(emo.backbone.conv_out.weight)
    torch.nn.init.zeros_(emo.backbone.conv_out.bias)
    features = list(gather.features_of(filmed, encoder, CONFIG))
    parts = list(
        finetune_decoder.denoised(Checkpoint(Path("few"), config, emo, vae, encoder), filmed, chosen, features, 3)
    )
    assert len(parts) == 3
    for part in parts:
        with torch.no_grad():
            film = vae.encode(part.frames.permute(0, 3, 1, 2).float() / 127.5 - 1)
        assert len(film) == len(part.mouths) == CONFIG.temporal.frames / finetune_decoder.EVERY
        assert (part.latents - film).square().mean() < 0.05 * film.var()
