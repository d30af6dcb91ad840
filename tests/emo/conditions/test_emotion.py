"""Emotions of an EMO: nothing changes without them; they act per frame, are dropped, guided, saved, and refused where there are none."""

import json
from dataclasses import replace

import pytest
import torch
from PIL import Image

from emo_core.__main__ import main
from emo_core.audio.encoder import AudioEncoder
from emo_core.emo.conditions.emotion import EmotionCondition, check_emotion
from emo_core.emo.config import EMO_MINI, HALLO, EMOConfig, EmotionConfig
from emo_core.emo.models.emo import EMO
from emo_core.emo.models.vae import VAE
from emo_core.emo.sampling.clips import Clip
from emo_core.emo.sampling.guidance import Guidance, GuidedContext
from emo_core.emo.weights.checkpoint import load_checkpoint, save_checkpoint
from emo_core.emotion import EXPRESSIVE, EmotionCurve
from emo_core.errors import CheckpointError, InputError
from tests.conftest import CONFIG, awake, random_conditions, random_latents
from tests.emo.test_cli import arguments, decode
from tests.felt import FELT

FRAMES = CONFIG.temporal.frames
TIME = torch.tensor([500])


@pytest.fixture
def emo():
    """Its emotion layers act."""
    torch.manual_seed(0)
    return awake(EMO(FELT)).eval()


def strengths(name=None, strength=1.0):
    """(1, F, E)"""
    curve = EmotionCurve.constant(name or "neutral", strength)
    return torch.from_numpy(curve.at_frames(FRAMES, 25.0))[None]


def conditions(emotion=None, config=FELT):
    return random_conditions(config).replaced(emotion=emotion)


@torch.no_grad()
def predict(emo, given, keep=None):
    return emo(random_latents(CONFIG), TIME, emo.context(given).keep(**(keep or {})))


def test_untrained_layers_change_nothing(emo):
    """Bit by bit, whatever the emotion; and so does a trained one of a model that is given none."""
    torch.manual_seed(0)
    plain = awake(EMO(CONFIG)).eval()
    expected = predict(plain, conditions(config=CONFIG))
    fresh = EMO(FELT).eval()
    fresh.load_state_dict(fresh.state_dict() | plain.state_dict())
    for emotion in (None, strengths(), strengths("happy", 1.5)):
        assert torch.equal(predict(fresh, conditions(emotion)), expected)
    emo.load_state_dict(emo.state_dict() | plain.state_dict())
    assert torch.equal(predict(emo, conditions()), expected)
    assert not torch.equal(predict(emo, conditions(strengths("happy"))), expected)


def test_a_dropped_an_unknown_and_no_emotion_are_one(emo):
    none = predict(emo, conditions())
    happy = conditions(strengths("happy"))
    assert torch.equal(predict(emo, happy, {"emotion": torch.zeros(1)}), none)
    assert torch.equal(predict(emo, conditions(strengths() * torch.nan)), none)
    assert torch.equal(predict(emo, happy, {"emotion": torch.ones(1)}), predict(emo, happy))
    neutral = predict(emo, conditions(strengths()))
    assert not torch.equal(neutral, none), "a model can be asked for a neutral face"
    assert not torch.equal(neutral, predict(emo, happy))


def test_every_emotion_and_strength_is_another(emo):
    asked = [(name, strength) for name in EXPRESSIVE for strength in (0.5, 1.0, 1.5)]
    seen = [predict(emo, conditions(strengths(*one))) for one in asked]
    assert not any(torch.equal(a, b) for i, a in enumerate(seen) for b in seen[:i])


def test_each_frame_has_its_own(emo):
    """Without temporal modules a frame sees its own emotion alone."""
    single = replace(conditions(strengths("sad")), motion=None)
    changed = strengths("sad")
    changed[:, 2] = strengths("happy")[:, 2]
    before, after = predict(emo, single), predict(emo, single.replaced(emotion=changed))
    assert [bool((before[:, k] != after[:, k]).any()) for k in range(FRAMES)] == [k == 2 for k in range(FRAMES)]


def test_clips_of_a_batch_keep_their_own(emo):
    both = conditions(torch.cat([strengths("happy"), strengths("fear")]))
    pair = random_conditions(FELT, clips=2).replaced(emotion=both["emotion"])
    latents = random_latents(CONFIG).expand(2, -1, -1, -1, -1)
    with torch.no_grad():
        joined = emo(latents, TIME.expand(2), emo.context(pair).keep(emotion=torch.tensor([0.0, 1.0])))
        values = {name: value[1:] for name, value in pair.values.items()}
        second = emo(latents[1:], TIME, emo.context(replace(pair, values=values, motion=pair.motion[1:])))
    assert torch.allclose(joined[1:], second, atol=1e-5)


@pytest.mark.parametrize(("emotion", "scale", "passes"), [("happy", 1, 1), ("happy", 2, 2), (None, 2, 1)])
def test_guidance_costs_a_pass_where_it_acts(emo, emotion, scale, passes):
    given = conditions(None if emotion is None else strengths(emotion))
    assert GuidedContext(emo.context(given), Guidance.of(emotion=scale)).passes == passes


@torch.no_grad()
def test_guidance_extrapolates(emo):
    latents, context = random_latents(CONFIG), emo.context(conditions(strengths("happy")))
    full = emo(latents, TIME, context)
    without, silent = (emo(latents, TIME, context.keep(**{name: torch.zeros(1)})) for name in ("emotion", "audio"))
    guided = GuidedContext(context, Guidance.of(audio=2.0, emotion=3.0))
    joined, passes = guided.at(0, 10)
    got = guided.combine(emo(latents.expand(passes, -1, -1, -1, -1), TIME.expand(passes), joined))
    assert torch.allclose(got, full + 1.0 * (full - silent) + 2.0 * (full - without), atol=1e-4)


def test_a_checkpoint_has_a_scale_of_its_own():
    config = replace(FELT, diffusion=replace(FELT.diffusion, audio_scale=1.0, emotion_scale=2.5))
    assert [(g.condition, g.scale) for g in Guidance.for_model(config, {}).guiders] == [("emotion", 2.5)]
    assert Guidance.for_model(config, {"emotion": 1.0}).guiders == ()
    assert Guidance.for_model(replace(CONFIG, diffusion=config.diffusion), {}).guiders == ()


def test_a_curve_is_cut_into_clips():
    config = replace(FELT, emotion=replace(FELT.emotion, names=("sad", "happy")))
    curve, condition = EmotionCurve.parse("0:happy@0, 0.4:happy"), EmotionCondition()
    value = torch.from_numpy(curve.at_frames(10, 25.0))[:, [EXPRESSIVE.index(name) for name in config.emotion.names]]
    clip = condition.at_clip(value, Clip(2, 8, 10), config, torch.device("cpu"), torch.float32)
    assert clip.shape == (1, FRAMES, 2) and not clip[..., 0].any()
    assert clip[0, :, 1].tolist() == pytest.approx([0.85, 0.95, 0.95, 0.95])


@pytest.fixture(scope="module")
def felt(tmp_path_factory):
    """A whole checkpoint with acting emotion layers."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "felt.safetensors"
    parts = {"emo": awake(EMO(FELT)), "vae": VAE(FELT.vae), "audio_encoder": AudioEncoder.from_config(FELT.audio)}
    save_checkpoint(path, FELT, parts, dtype=torch.float32)
    return path


def test_a_checkpoint_keeps_its_emotions(felt, tmp_path):
    loaded = load_checkpoint(felt)
    assert loaded.config == FELT
    torch.manual_seed(0)
    saved = awake(EMO(FELT)).eval()
    given = conditions(strengths("happy"))
    assert torch.equal(predict(loaded.emo, given), predict(saved, given))
    with pytest.raises(CheckpointError, match=r"does not match its own config: \d+ unknown .*emotion_encoder"):
        save_checkpoint(tmp_path / "bad.safetensors", CONFIG, {"emo": loaded.emo})
        load_checkpoint(tmp_path / "bad.safetensors")


def test_configs_without_the_fields_are_read():
    old = json.loads(CONFIG.to_json())
    del old["emotion"], old["diffusion"]["emotion_scale"]
    assert EMOConfig.from_json(json.dumps(old)) == CONFIG and not CONFIG.emotion.layers


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"names": []}, "expected some of happy, sad"),
        ({"names": ["happy", "happy"]}, "each once"),
        ({"names": ["joy"]}, "names .*joy.*: expected some of happy"),
        ({"names": ["happy"], "trained": ["sad"]}, "trained .*sad.*: expected some of the names happy"),
        ({"width": 0}, "emotion.width: got 0"),
    ],
)
def test_impossible_configs_are_refused(changes, message):
    data = json.loads(FELT.to_json())
    data["emotion"] |= {"trained": []} | changes
    with pytest.raises(CheckpointError, match=message):
        EMOConfig.from_json(json.dumps(data))
    with pytest.raises(ValueError, match="which has none"):
        replace(HALLO, emotion=EmotionConfig(layers=True))


def test_requests_are_checked():
    assert check_emotion(EmotionCurve.parse("0:neutral, 1:happy+sad@0.5"), FELT)
    with pytest.raises(InputError, match="emotion: got fear; tiny was trained for neutral, happy, sad"):
        check_emotion(EmotionCurve.parse("0:neutral, 1:fear@0.2"), FELT)
    with pytest.raises(
        InputError, match="emotion: tiny was trained without emotions; leave the emotion out, or choose"
    ):
        check_emotion(EmotionCurve.constant("neutral"), CONFIG)


@pytest.fixture
def portrait(tmp_path):
    path = tmp_path / "portrait.png"
    Image.radial_gradient("L").convert("RGB").resize((120, 90)).save(path)
    return path


def test_the_command_line_shows_the_emotion(portrait, voice, tmp_path, felt):
    asked = {
        "none": (), "happy": ("--emotion", "happy"), "weak": ("--emotion", "happy", "--strength", "0.3"),
        "curve": ("--emotion", "0:neutral,0.5:happy"), "guided": ("--emotion", "happy", "--emotion-scale", "3"),
    }  # fmt: skip
    videos = {}
    for name, options in asked.items():
        out = tmp_path / f"{name}.mp4"
        assert main(arguments(portrait, voice, out, felt, "--max-seconds", "0.4", *options)) == 0
        videos[name] = decode(out)
    names = list(videos)
    assert not [(a, b) for i, a in enumerate(names) for b in names[:i] if (videos[a] == videos[b]).all()]
    assert b"0:happy@1" in (tmp_path / "happy.mp4").read_bytes()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--emotion", "hapy"), "expected one of neutral, happy"),
        (("--emotion", "fear"), "emotion: got fear; tiny was trained for neutral, happy, sad"),
        (("--emotion", "happy@2"), "expected 0 .. 1.5"),
        (("--emotion", "happy", "--strength", "nan"), "strength: got nan"),
        (("--emotion", "happy", "--emotion-scale", "-1"), "emotion scale: got -1.0; expected 0 .. 100 (1 is off)"),
        (("--strength", "0.5"), "strength: got 0.5 without an emotion; give --emotion"),
        (("--emotion-scale", "2"), "emotion scale: got 2 without an emotion; give --emotion"),
        (
            ("--emotion", "sad", "--emotion-style", "1"),
            "--emotion-style: the model felt.safetensors has no such option",
        ),
    ],
)
def test_bad_options_are_one_line(portrait, voice, tmp_path, felt, capsys, options, message):
    assert main(arguments(portrait, voice, tmp_path / "v.mp4", felt, *options)) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert message in line


def test_the_shipped_models_have_none(portrait, voice, tmp_path, capsys):
    assert main(arguments(portrait, voice, tmp_path / "v.mp4", EMO_MINI, "--emotion", "happy")) == 2
    assert "emotion: emo-mini was trained without emotions; leave the emotion out" in capsys.readouterr().err
