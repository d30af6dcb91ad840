"""The stages learn from made films, keep people out, and resume."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from emo_core.emote.action_units import CURVES
from emo_core.emote.training.draw import Drawing
from emo_core.emote.training.emotion import EmotionTask, batch_of, spoken
from emo_core.emote.training.heard import hear, load_film, load_films, save_film
from emo_core.emote.training.material import Run, split
from emo_core.emote.training.readers import Readers
from emo_core.emote.training.space import point_space
from emo_core.emote.training.stages import train_emotion, train_prior
from emo_core.emotion import EXPRESSIVE
from emo_core.errors import InputError
from emo_core.face.coefficients import MOUTH
from emo_core.face.rig import load_rig
from emo_core.media.sound import Sound
from emo_core.training.schedule import Limits
from tests.emote.conftest import made_model

QUIET = {"folder": None, "resume": False, "report": lambda line: None}


@pytest.fixture(scope="module")
def talker():
    made = made_model()
    config = replace(made.config, emotion_width=16, emotion_heads=2, emotion_latent=24)
    return replace(made, config=config, rig=load_rig())


@pytest.fixture(scope="module")
def films(talker):
    made = []
    for number, emotion in enumerate([None, None, 0, 1, 2]):
        rng = np.random.default_rng(number)
        sound = Sound(rng.normal(size=16000 * 4).astype(np.float32))
        label = None if emotion is None else np.eye(len(EXPRESSIVE), dtype=np.float32)[emotion]
        motion = None if emotion is None else rng.uniform(0, 0.3, (100, len(CURVES))).astype(np.float32)
        made.append(hear(sound, talker, name=f"film {number}", person=f"p{number % 3}", motion=motion, emotion=label))
    return made


def test_films_are_kept(films, tmp_path):
    for number, film in enumerate(films):
        save_film(film, tmp_path / f"{number}.safetensors")
    for old, new in zip(films, load_films(tmp_path), strict=True):
        assert (new.name, new.person, len(new)) == (old.name, old.person, len(old))
        np.testing.assert_allclose(new.speech.mouth, old.speech.mouth, atol=1e-6)
        assert (new.motion is None) == (old.motion is None)


def test_broken_films_are_told(films, tmp_path):
    with pytest.raises(InputError, match="holds no prepared film"):
        list(load_films(tmp_path))
    broken = tmp_path / "x.safetensors"
    save_film(replace(films[0], mel=films[0].mel[:5]), broken)
    with pytest.raises(InputError, match="differ in length"):
        load_film(broken)
    broken.write_bytes(broken.read_bytes()[:99])
    with pytest.raises(InputError, match="cannot be read"):
        load_film(broken)


def test_people_are_held_out(films):
    material = split(films, ["p1"])
    assert {film.person for film in material.teach} == {"p0", "p2"}
    assert {film.person for film in material.test} == {"p1"}
    with pytest.raises(InputError, match="nobody is called p7"):
        split(films, ["p7"])
    with pytest.raises(InputError, match="all people"):
        split(films, ["p0", "p1", "p2"])


def test_pairs_share_speech_and_style_and_differ_in_emotion(films, talker):
    drawing = Drawing(films, talker.config, talker.rig)
    for seed in range(12):
        first, second = drawing.constructed(torch.Generator().manual_seed(seed))
        assert torch.equal(first.inputs, second.inputs) and torch.equal(first.style, second.style)
        assert first.known and second.known
        assert not torch.equal(first.target, second.target)


def test_lent_emotions_differ_from_the_own_one(films, talker):
    space = point_space(talker.rig, CURVES, np.random.default_rng(0).uniform(size=(50, len(CURVES))))
    actors = [film for film in films if film.emotion is not None]
    _, emotion = train_prior(talker, split(films, []), Run(Limits(steps=1), **QUIET))
    drawing = Drawing(films, talker.config, talker.rig)
    task = EmotionTask(emotion, drawing, Readers(), space, None, actors=actors, share=1.0)
    batch = task.draw(torch.Generator().manual_seed(3))
    own, lent = batch.emotion.chunk(2)
    assert len(own) > 0
    assert (own[:, 0].argmax(1) != lent[:, 0].argmax(1)).all()
    assert batch.known.chunk(2)[0].all() and not batch.known.chunk(2)[1].any()
    assert all(torch.isfinite(loss) for loss in task.losses(batch, (emotion,), 0.0))


@pytest.mark.slow
def test_a_prior_and_then_emotions_are_learnt(films, talker, tmp_path):
    material = split(films, ["p1"])
    config, emotion = train_prior(talker, material, Run(Limits(steps=30), **QUIET))
    moody = replace(talker, config=config, emotion=emotion)
    windows = Drawing(material.test, config, talker.rig).constructed(torch.Generator().manual_seed(5))
    batch = batch_of([windows])
    with torch.no_grad():
        before = emotion(batch.inputs, batch.mouth, batch.rest, batch.emotion, batch.style)
    assert not before.any()
    run = Run(Limits(steps=80), tmp_path, False, lambda line: None)
    trained = train_emotion(moody, material, run, actors=0.0)
    with torch.no_grad():
        made = trained(batch.inputs, batch.mouth, batch.rest, batch.emotion, batch.style)
    assert (made - batch.target).square().mean() < 0.7 * batch.target.square().mean()
    again = train_emotion(moody, material, replace(run, resume=True, limits=Limits(steps=81)), actors=0.3)
    assert again is not None
    assert (tmp_path / "readers.safetensors").is_file()


def test_the_emotion_stage_needs_the_prior(films, talker):
    with pytest.raises(InputError, match="--stage prior first"):
        train_emotion(talker, split(films, []), Run(Limits(steps=1), **QUIET), actors=0.5)


def test_speech_is_placed_among_all_curves():
    mouth = torch.rand(1, 3, len(MOUTH))
    placed = spoken(mouth)
    assert placed.shape == (1, 3, len(CURVES))
    assert torch.equal(placed[..., CURVES.index("jawOpen")], mouth[..., MOUTH.index("jawOpen")])
