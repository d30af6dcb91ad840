"""The recipe of emote-mini on made films."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from emo_core.emote.config import EmoteConfig
from emo_core.emote.content import ContentModel
from emo_core.emote.training.content import Taught
from emo_core.emote.training.prior import MotionPrior, start_linear
from emo_core.emote.training.space import PointSpace
from emo_core.face.coefficients import MOUTH
from emo_core.face.motion import FaceMotion
from recipes.emo_mini.espeak import Utterance
from recipes.emote_mini.bank import blinks_of
from recipes.emote_mini.closing import bilabials, labels_of
from recipes.emote_mini.content import Heard, check, fit_linear
from recipes.emote_mini.gather import Film, gap_at, load, person_of, save, use_of
from recipes.emote_mini.hearing import ridge
from recipes.emote_mini.measure import repeat, shifted
from recipes.emote_mini.prior import shares

CONFIG = EmoteConfig(latent=24, prior_width=8, width=16, heads=2, layers=1, styles=("average", "s1"))
SPACE = PointSpace(torch.eye(len(MOUTH)), torch.eye(len(MOUTH))[MOUTH.index("jawOpen")] * 0.3)


def film(number: int, use: str = "train", frames: int = 72) -> Film:
    """Lips follow the loudness of a buzz."""
    rng = np.random.default_rng(number)
    opening = np.convolve(rng.uniform(size=frames + 8), np.ones(9) / 9, "valid")
    opening = (opening - opening.min()) / np.ptp(opening)
    loud = np.repeat(opening, 640)
    sound = (loud * np.sin(2 * np.pi * 150 * np.arange(frames * 640) / 16000)).astype(np.float32)
    motion = FaceMotion.still(frames, 25).with_curves({"jawOpen": opening, "mouthLowerDownLeft": opening**2})
    return Film(f"grid_s1/{number}", "s1", use, motion, (0.3 * opening).astype(np.float32), sound)


@pytest.mark.parametrize(
    ("path", "person", "use"),
    [
        ("grid_s1/bbaf2n.mp4", "s1", "s1"),
        ("talk/grid/s31_bgiq6p.mp4", "s31", "strangers"),
        ("talk/grid/grid_swiz3n.mp4", "s26", "unused"),
        ("talk/grid/grid_pwij3p.mp4", "s2", "train"),
        ("talk/us_gov/reagan_26s.mp4", "reagan", "free"),
        ("talk/us_gov/obama_20s.mp4", "obama", "train"),
        ("talk/research/speaker_60s.mp4", "speaker", "research"),
    ],
)
def test_who_may_teach(path, person, use):
    assert person_of(Path(path)) == person
    assert use_of(Path(path), 0) == use


def test_films_are_kept(tmp_path):
    films = [film(0), film(1, "s1")]
    save(films, tmp_path / "films.npz")
    again = load(tmp_path / "films.npz")
    assert [(one.name, one.use) for one in again] == [(one.name, one.use) for one in films]
    np.testing.assert_allclose(again[1].motion.coefficients, films[1].motion.coefficients, atol=1e-3)
    np.testing.assert_allclose(again[0].sound, films[0].sound, atol=1e-3)


def test_ridge_finds_a_linear_rule():
    rng = np.random.default_rng(0)
    inputs, rule = rng.standard_normal((500, 5)).astype(np.float32), rng.standard_normal((5, 2))
    inputs -= inputs.mean(0)
    solution, centre = ridge(inputs, inputs @ rule + 3, np.ones(500, np.float32), 1e-3)
    np.testing.assert_allclose(solution, rule, atol=0.02)
    np.testing.assert_allclose(centre, [3, 3], atol=1e-3)


def test_the_closed_forms_already_move_the_lips():
    torch.manual_seed(0)
    films = [film(number) for number in range(24)]
    loud = [np.abs(one.sound).reshape(-1, 640).mean(1)[:, None].astype(np.float16) for one in films]
    mel = [np.repeat(part, CONFIG.mel_bands, axis=1) for part in loud]
    features = [np.zeros((len(part), CONFIG.audio.layers, CONFIG.audio.width), np.float16)[:, :1, :4] for part in loud]
    config = replace(CONFIG, audio=replace(CONFIG.audio, layers=1, width=4))
    curves = [torch.from_numpy(one.motion.curves(MOUTH)) for one in films]
    heard = Heard(films, list(zip(features, mel, strict=True)), curves)
    prior = MotionPrior(config, count=len(MOUTH), latent=config.latent).eval()
    start_linear(prior, [part.numpy() for part in curves], SPACE)
    model = ContentModel(config).eval()
    model.decoder.load_state_dict(prior.decoder.state_dict())
    fit_linear(model, heard, prior.requires_grad_(False), config)
    numbers = check(model, {"train": heard}, SPACE)
    assert numbers["train_r"] > 0.9
    taught = Taught(model, len(films))
    assert not taught.free.weight.any()


def test_people_of_many_films_count_less():
    films = [film(number) for number in range(16)]
    other = film(99)
    other = Film("talk/x", "s2", "train", other.motion, other.gap, other.sound)
    share = shares([*films, other])
    assert share.sum() == pytest.approx(1)
    assert share[-1] == pytest.approx(0.2)


def test_only_the_middle_of_a_bilabial_is_closed():
    utterance = Utterance(np.zeros(16000, np.float32), ((0.1, "m"), (0.24, "a"), (0.6, "p"), (0.66, "i")))
    assert bilabials(utterance) == [(0.1, 0.24), (0.6, 0.66)]
    labels = labels_of(utterance, 25)
    assert (labels[3:6] == 1).all()
    assert labels[10] == 0
    assert labels[15] == 1


def test_blinks_begin_and_end_open():
    lids = np.zeros(100, np.float32)
    lids[40:49] = [0.1, 0.4, 0.8, 1, 1, 0.7, 0.4, 0.2, 0.1]
    motion = FaceMotion.still(100, 25).with_curves({"eyeBlinkLeft": lids, "eyeBlinkRight": lids})
    blinks = blinks_of(motion)
    assert blinks
    assert blinks[0].max() == 1
    assert not blinks[0][[0, -1]].any()


def test_measures():
    curve = np.convolve(np.random.default_rng(0).standard_normal(200), np.ones(5), "same")
    assert int(np.argmax(shifted(np.roll(curve, 2), curve))) - 5 == 2
    rng = np.random.default_rng(1)
    turns = np.cumsum(rng.standard_normal((600, 3)), axis=0).astype(np.float32)
    still = FaceMotion.still(600, 25)
    assert repeat(replace(still, rotation=turns)) < 0.98
    turns[300:400] = turns[100:200]
    assert repeat(replace(still, rotation=turns)) > 0.98
    np.testing.assert_allclose(gap_at(np.arange(60.0), 30, 50), np.arange(50) * 1.2 + 0.1)
