"""Cached latents and features: what the model itself would make, and tied to who made them."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from emo_core.__main__ import main
from emo_core.dataset.shards import TRAIN, Clip, Dataset, read_clips, read_members, write_clips
from emo_core.emo.training.cache import Encoders, cache, check_cache, encode_pictures
from emo_core.emo.training.setup import frozen_parts, setup_stage, speed_buckets
from emo_core.emo.training.stages import STAGES
from emo_core.emo.weights.checkpoint import load_checkpoint, save_checkpoint
from emo_core.errors import InputError
from tests.conftest import CONFIG
from tests.synthetic import SIZE, draw_clip


@pytest.fixture(scope="module")
def encoders(checkpoint):
    model = load_checkpoint(checkpoint)
    return Encoders(model.config, frozen_parts(model, None), torch.device("cpu"))


def test_latents_and_features_of_every_frame(dataset, encoders):
    for clip in read_clips(dataset, TRAIN):
        assert clip.latents.shape == (20, CONFIG.vae.channels, CONFIG.latent_size, CONFIG.latent_size)
        assert clip.features.shape == (1, 20, CONFIG.audio.layers, CONFIG.audio.width)
        again = encode_pictures(encoders.frozen.vae, clip.pictures(), torch.device("cpu"))
        assert torch.allclose(torch.from_numpy(clip.latents).float(), again, atol=5e-3)


def test_a_clip_survives_the_way_to_the_disk(tmp_path):
    drawn = draw_clip("clip0-000")
    write_clips(tmp_path / "train-000000.tar", [drawn])
    clip = Clip.of_members(next(read_members(tmp_path / "train-000000.tar")))
    assert clip.video == drawn.video
    for name in ("boxes", "mouths", "poses", "speed", "opening"):
        assert np.allclose(getattr(clip.labels, name), getattr(drawn.labels, name), atol=1e-6)
    assert clip.pictures().shape == (20, SIZE, SIZE, 3)
    assert np.allclose(clip.sound(), drawn.sound())
    assert clip.speaker == "clip0"


def test_a_finished_cache_is_not_made_again(plain, encoders, tmp_path):
    cache(plain, encoders, tmp_path)
    stamps = [path.stat().st_mtime_ns for path in sorted(tmp_path.glob("*.tar"))]
    cache(plain, encoders, tmp_path)
    assert stamps == [path.stat().st_mtime_ns for path in sorted(tmp_path.glob("*.tar"))]


def test_clips_of_another_dataset_are_encoded_anew(plain, encoders, tmp_path):
    """Prepared again under the same names, they would be trained on as they were."""
    cache(plain, encoders, tmp_path)
    shard = next(shard for shard in plain.shards if shard.name.startswith(TRAIN))
    others = [draw_clip(f"other{number}-000", seed=9) for number in range(shard.clips)]
    (tmp_path / "source").mkdir()
    for path in plain.folder.glob("*.tar"):
        (tmp_path / "source" / path.name).write_bytes(path.read_bytes())
    write_clips(tmp_path / "source" / shard.name, others)
    found = cache(replace(plain, folder=tmp_path / "source"), encoders, tmp_path)
    keys = {clip.key for clip in read_clips(found, TRAIN)}
    assert {clip.key for clip in others} <= keys
    assert keys == {clip.key for clip in read_clips(replace(plain, folder=tmp_path / "source"), TRAIN)}


def test_an_encoder_from_a_folder_and_from_a_checkpoint_are_the_same(encoders):
    """`export` puts it into the checkpoint; what was cached before stays good."""
    apart = replace(encoders.config, audio=replace(encoders.config.audio, encoder=""))
    assert replace(encoders, config=apart).fingerprint == encoders.fingerprint


def test_latents_of_another_autoencoder_are_refused(dataset, encoders, checkpoint, tmp_path):
    check_cache(dataset, encoders)
    model = load_checkpoint(checkpoint)
    other = {"emo": model.emo, "vae": model.vae, "audio_encoder": model.audio_encoder}
    next(model.vae.parameters()).data.add_(0.1)
    save_checkpoint(tmp_path / "other.safetensors", model.config, other, dtype=torch.float32)
    with pytest.raises(InputError, match="was cached with other encoders"):
        setup_stage(dataset, tmp_path / "other.safetensors", tmp_path, STAGES["2"])


def test_what_cannot_be_cached(plain, encoders, checkpoint, tmp_path, capsys):
    with pytest.raises(InputError, match="has 128 pixels at 25 fps, the model 64"):
        cache(replace(plain, size=128), encoders, tmp_path / "a")
    with pytest.raises(InputError, match="is the dataset itself"):
        cache(plain, encoders, plain.folder)
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "cache.txt").write_text("of another")
    with pytest.raises(InputError, match="begun with other encoders"):
        cache(plain, encoders, tmp_path / "b")
    arguments = ["cache", str(plain.folder), "--init", str(checkpoint), "--out", str(tmp_path / "c")]
    assert main(arguments) == 0
    assert "7 clips with latents" in capsys.readouterr().out
    assert Dataset.open(tmp_path / "c").cache == encoders.fingerprint


def test_speed_buckets_cover_the_data(plain):
    config = speed_buckets(CONFIG.speed, plain.fastest)
    assert len(config.centres) == len(CONFIG.speed.centres)
    assert config.centres[0] == 0 and config.centres[-1] == pytest.approx(plain.speed_quantiles[-2])
    assert config.radii == pytest.approx([config.centres[1]] * len(config.centres))


def test_buckets_of_trained_speed_layers_stay(dataset, checkpoint, tmp_path):
    assert setup_stage(dataset, checkpoint, tmp_path, STAGES["3"]).emo.config.speed == CONFIG.speed
    fresh = setup_stage(dataset, checkpoint, tmp_path, STAGES["3"], fresh=True)
    assert fresh.emo.config.speed == speed_buckets(CONFIG.speed, dataset.fastest)
    assert not any(bool(v.any()) for k, v in fresh.emo.named_parameters() if ".attn_speed.to_out." in k)
