"""The ear of emote-mini's recipe: voices with phone times, films, noises, training, and the reading of lips."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from emo_core.audio.config import FIELD, HOP
from emo_core.training import loop
from emo_core.training.loop import Settings
from emo_core.training.schedule import Limits
from recipes.emo_mini.audio import CONFIG as SMALLER
from recipes.emo_mini.audio import levels, load_audio_encoder
from recipes.emo_mini.voices import log_mel as three_seconds
from recipes.emote_mini import hear, hear_measure, kokoro, stretches
from recipes.emote_mini import passages as passages_of
from recipes.emote_mini.films import Film, at_features, lips_of, person_of, role_of
from recipes.emote_mini.noises import Noises
from recipes.emote_mini.phones import LETTERS, VISEME, TypicalLips, letters_at
from recipes.emote_mini.spectrum import log_mel
from recipes.emote_mini.warping import warped
from tests.conftest import tone


def test_phone_times_come_from_the_frames_of_the_tokens():
    spoken = kokoro.Spoken("en", "mama", "mˈɑː, p", (9, 3, 1, 4, 2, 1, 8, 2, 3), 33 * kokoro.FRAME, 1.0)
    seconds = kokoro.FRAME / kokoro.RATE
    starts = [(round(start / seconds + kokoro.LEAD), symbol) for start, symbol in spoken.sounds()[1:]]
    assert spoken.sounds()[0] == (0.0, "")
    assert starts == [(9, "m"), (12, "ɑ"), (19, ""), (20, ""), (28, "p"), (30, "")]


def test_kokoros_letters_are_those_of_its_vocabulary():
    vocabulary = {letter: number for number, letter in enumerate("mIʤʧɹə ˈɡɑː")}
    assert kokoro.in_vocabulary("ma^ɪ(en)", "en-us", vocabulary) == "mI"
    assert kokoro.in_vocabulary("d^ʒɚ", "en-us", vocabulary) == "ʤəɹ"
    assert kokoro.in_vocabulary("gø", "fr", vocabulary) == "ɡ"


def test_mixtures_of_voices_add_up_to_one():
    rng = np.random.default_rng(0)
    for _ in range(50):
        weights = kokoro.mixture(rng, 5)
        assert weights.shape == (2, 5) and np.allclose(weights.sum(1), 1) and np.abs(weights).max() < 2


def test_short_gaps_between_words_are_no_pauses():
    times = np.arange(0, 1, 0.05) + 0.01
    letters = letters_at(((0.0, ""), (0.2, "m"), (0.4, ""), (0.45, "aɪ"), (0.65, ""), (0.85, "t͡ʃ")), times)
    said = [LETTERS[number] for number in letters]
    assert said == [""] * 4 + ["m"] * 5 + ["a"] * 2 + ["ɪ"] * 2 + [""] * 4 + ["ʃ"] + [""] * 2
    assert VISEME[letters[4]] == 1


def test_only_long_silences_of_a_voice_are_pauses():
    loud = np.ones(100)
    loud[20:23] = loud[50:70] = 1e-4
    quiet = passages_of.silent(np.repeat(loud, HOP) * np.random.default_rng(0).normal(size=100 * HOP))
    assert not quiet[:45].any() and quiet[52:67].all() and not quiet[72:].any()


def test_typical_lips_follow_speech_sounds_and_loudness():
    rng = np.random.default_rng(0)
    typical = TypicalLips(reach=1, penalty=0.1)
    shape = rng.normal(size=(13, 3))

    def film(count):
        classes, loud = rng.integers(0, 13, count), rng.normal(size=count)
        return classes, loud, shape[classes] + 0.5 * loud[:, None]

    typical.add(*film(2000))
    classes, loud, lips = film(50)
    assert np.allclose(typical(classes, loud), lips, atol=0.01)


def test_people_who_must_stay_unseen_do_not_teach():
    held_out = frozenset({"bbaf2n"})
    assert role_of("grid_s1", "bbaf2n", held_out) == "s1"
    assert role_of("grid_s1", "bbaf3s", held_out) == "teach"
    assert role_of("grid", "s31_bgiq6p", held_out) == role_of("grid_strangers", "s30_bbac3n", held_out) == "strangers"
    assert role_of("us_gov", "reagan_26s", held_out) == role_of("us_gov", "trump_10s", held_out) == "free"
    assert role_of("us_gov", "obama_30s", held_out) == "teach"
    assert role_of("research", "speaker_60s", held_out) == "research"
    assert role_of("grid", "grid_swiz3n", held_out) is None
    assert person_of("grid", "grid_pwij3p") == "s2" and person_of("grid", "grid_brbk7n") == "s26"
    assert person_of("us_gov", "obama_30s") == person_of("us_gov", "obama_47s") == "obama"


def test_lips_are_measured_from_their_rest_and_gaps_are_bridged():
    landmarks = np.zeros((20, 478, 3), np.float32)
    landmarks[:, 152, 1], landmarks[:, 291, 0], landmarks[:, 17, 1] = 100, 40, 10
    landmarks[10:, 14, 1] = 5
    landmarks[3] = np.nan
    lips, seen = lips_of(landmarks)
    assert seen.sum() == 19 and not seen[3]
    assert np.allclose(lips[:10, 0], 0) and np.allclose(lips[10:, 0], 0.05) and np.allclose(lips[:, 1:], 0)
    assert np.allclose(at_features(np.arange(50.0), 25, 99)[2:4], [0.8125, 1.3125])


def test_log_mel_has_a_row_per_feature():
    sound = torch.from_numpy(tone(3.0))[:48000]
    assert log_mel(sound).shape == (149, 40)
    assert torch.corrcoef(torch.stack([log_mel(sound).mean(0), three_seconds(sound).mean(0)]))[0, 1] > 0.95


def test_noises_keep_speech_level_and_repeat():
    sounds = torch.from_numpy(np.stack([tone(1.0)] * 16))
    made = [Noises(torch.Generator().manual_seed(seed))(sounds) for seed in (0, 0, 1)]
    assert torch.equal(made[0], made[1]) and not torch.equal(made[0], made[2])
    assert torch.isfinite(made[0]).all()
    assert (20 * levels(made[0]).log10()).abs().max() < 3.1


@pytest.fixture
def passages(tmp_path):
    """Three passages of 200 steps; loudness follows the lips. The second is a copy of the first; the third validates."""
    rng = np.random.default_rng(0)
    count = 200
    opening = np.abs(np.sin(np.arange(3 * count) / 7))
    opening[count : 2 * count] = opening[:count]
    sounds = np.repeat(opening, 320) * rng.normal(size=3 * count * 320) * 8000
    values = {
        "sounds": sounds.astype(np.int16),
        "lips": np.stack([opening] * 3, 1).astype(np.float32),
        "letters": (opening > 0.5).astype(np.int16),
        "trust": np.ones(3 * count, np.float32),
        "begin": np.arange(3) * count,
        "count": np.full(3, count),
        "kind": np.array([0, 0, 0]),
        "clean": np.array([0, 0, 2]),
        "held_out": np.array([0, 0, 1]),
        "person": np.zeros(3, int),
    }
    np.savez(tmp_path / "passages.npz", **values)
    return stretches.Passages.open(tmp_path / "passages.npz")


def test_targets_stay_with_their_sound_at_any_tempo(passages):
    index, place = torch.tensor([0, 1]), torch.tensor([0.9, 0.2])
    batch = passages.stretches(index, place, torch.tensor([[0.9], [1.15]]), 149, None)
    loud = batch.sounds.unfold(1, 400, 320).square().mean(2).sqrt()
    for row in range(2):
        assert torch.corrcoef(torch.stack([loud[row], batch.lips[row, :, 0]]))[0, 1] > 0.97
    assert passages.share[2] == 0 and bool(batch.heard.all())
    long = passages.stretches(index, place, torch.ones(2, 1), 399, None)
    assert (
        long.heard.sum() == 2 * 200 and (long.letters[~long.heard] == -1).all() and (long.trust[~long.heard] == 0).all()
    )


def test_more_layers_begin_as_identity():
    smaller = load_audio_encoder(None).eval()
    larger = hear.grown(smaller).eval()
    with torch.no_grad():
        features, same = larger(torch.from_numpy(tone(1.0))[None]), smaller(torch.from_numpy(tone(1.0))[None])
    assert larger.layers == 6 and smaller.layers == SMALLER["num_hidden_layers"] == 4
    assert torch.allclose(features[:, :, :4], same, atol=1e-5) and torch.allclose(
        features[:, :, 5], same[:, :, 3], atol=1e-5
    )


def test_weights_between_start_and_end():
    start, end = {"a": torch.zeros(3)}, {"a": torch.ones(3)}
    assert torch.allclose(hear.blended(start, end, 0.6)["a"], torch.full((3,), 0.6))
    assert torch.equal(hear.blended(start, end, 1.0)["a"], end["a"])


def test_the_ear_learns_and_its_file_is_an_encoder(passages, tmp_path, monkeypatch):
    monkeypatch.setattr(hear, "SCHEDULE", replace(hear.SCHEDULE, warm_up=1))
    monkeypatch.setattr(stretches, "LENGTHS", ((49, 2),))
    torch.manual_seed(0)
    net = hear.Ear(hear.grown(None))
    task = hear.HearTask(net, passages, tmp_path / "ear.safetensors")
    lines = []
    settings = Settings(batch=2, log_every=1, save_every=3, validate_every=6, find_unused=True, cpu=True)
    loop.train(task, settings, Limits(steps=6), tmp_path / "run", report=lines.append)
    assert any("s1_opening" in line for line in lines)
    read = load_audio_encoder(tmp_path / "ear.safetensors")
    assert read.layers == hear.CONFIG["num_hidden_layers"]
    assert hear.earlier_encoder(tmp_path / "ear.safetensors").layers == 6


def test_a_ridge_reads_what_a_window_holds():
    rng = np.random.default_rng(0)

    def film(name, role):
        lips = np.repeat(rng.normal(size=(80, 1)), 3, 1)
        return Film(name, name, role, np.zeros(16000, np.float32), 25.0, lips, np.ones(80, bool))

    films = [film("a", "teach"), film("b", "teach"), film("c", "strangers")]
    heard = hear_measure.Heard.of(films, lambda film: torch.from_numpy(np.roll(film.lips[:, :1], 1, 0)))
    numbers = heard.numbers(heard.fit(2).ridge(1e-3), lambda film: film.role == "strangers")
    assert numbers["r"] > 0.97 and abs(numbers["other"]) < 0.4 and numbers["clips"] == 1


def test_spoken_passages_survive_their_file():
    spoken = kokoro.Spoken("de", "Tag", "tɑːk", (1, 2, 3, 1, 2, 1), 6000, 0.9)
    read = kokoro.Spoken(**json.loads(json.dumps(kokoro.asdict(spoken))))
    assert read.sounds() == spoken.sounds()


def test_a_person_whose_sound_is_late_is_found():
    rng = np.random.default_rng(0)
    opening = np.abs(np.convolve(rng.normal(size=400), np.hanning(9), "same"))
    sound = np.repeat(opening, HOP) * rng.normal(size=400 * HOP)
    sound = np.pad(sound, (0, FIELD))
    in_sync, late = np.roll(opening, 1), np.roll(opening, -1)  # The envelope of speech is half a step early.
    assert passages_of.lag_of([sound], [late[:398]]) - passages_of.lag_of([sound], [in_sync[:398]]) == 2
    assert passages_of.lag_of([sound], [opening[:398]]) in (0, 1)


def test_warping_finds_the_words_of_another_voice_between_pauses():
    rng = np.random.default_rng(0)
    words = rng.normal(size=(20, 16))
    pause = np.tile(rng.normal(size=16), (12, 1)) + 0.1 * rng.normal(size=(12, 16))
    slow = np.repeat(words, 2, axis=0)
    first, places = warped(np.concatenate([pause, slow + 0.1 * rng.normal(size=slow.shape), pause]), words)
    assert first in (12, 13) and len(places) >= 38
    assert np.array_equal(places, np.repeat(np.arange(20), 2)[first - 12 :][: len(places)])
