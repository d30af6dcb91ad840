"""The stages of an emote model's training on prepared films: `prior` and `emotion`; `content` has its own file.

Shape legend: B windows, F frames, K coefficients, Q numbers of speech.
"""

from collections.abc import Sequence
from dataclasses import replace

import torch
from einops import rearrange
from safetensors.torch import load_file, save_file
from torch import Tensor

from ...emotion import EMOTIONS
from ...errors import InputError
from ...training.loop import Settings, train
from ...training.schedule import Limits
from ..action_units import CURVES
from ..config import EmoteConfig
from ..emotion_model import EmotionModel
from ..weights import EmoteModel
from .draw import Drawing
from .emotion import PAIRS, Batch, EmotionTask, batch_of, check, spoken
from .heard import HeardFilm
from .material import Material, Run
from .prior import FRAMES as PRIOR_FRAMES
from .prior import MotionPrior, PriorTask, start_linear
from .readers import SPEECH, Readers, ReaderTask, Reading
from .space import point_space

LAYERS = 2
"""Transformer layers of a new emotion model."""
READER_SHARE = 0.2
"""Of the minutes, in which the readers learn."""
TESTS = 16
"""Pairs of windows of held-out people."""
NEUTRAL_BELOW = 0.15
"""Mean strength under which a window counts as neutral."""
SAMPLED = 36
"""Batches from which means, deviations and components are measured."""


def train_prior(model: EmoteModel, material: Material, run: Run) -> tuple[EmoteConfig, EmotionModel]:
    """A new emotion model whose decoder is the prior of emotional motion, and which adds nothing yet."""
    config = replace(model.config, emotion_layers=model.config.emotion_layers or LAYERS)
    drawing, tests = (Drawing(films, config, model.rig) for films in (material.teach, material.test))
    generator = torch.Generator().manual_seed(0)
    actors = material.actors
    sample = torch.cat([_added(drawing, generator, actors) for _ in range(SAMPLED)])
    space = point_space(model.rig, CURVES, rearrange(sample, "b f k -> (b f) k").numpy(), upper=True)
    prior = MotionPrior(config, count=len(CURVES), latent=config.emotion_latent)
    held = start_linear(prior, list(sample.numpy()), space)
    run.report(f"prior: {config.emotion_latent} components hold {held:.4f} of the motion")
    test = list(torch.cat([_added(tests, generator, ()) for _ in range(4)]))
    task = PriorTask(prior, lambda generator: _added(drawing, generator, actors), space, {material.test_name: test})
    settings = Settings(batch=PAIRS, log_every=100, validate_every=200, cpu=True)
    train(task, settings, run.limits, run.folder, resume=run.resume, report=run.report)
    made = EmotionModel(config)
    made.decoder.load_state_dict(prior.decoder.state_dict())
    _normalise(made, drawing, generator)
    return config, made.eval()


def train_emotion(model: EmoteModel, material: Material, run: Run, *, actors: float) -> EmotionModel:
    """The emotion model, from a model that has its prior.

    Args:
        model: with an emotion model of `train_prior`.
        material: films.
        run: of the loop; the readers learn first, and are kept in `readers.safetensors` of its folder.
        actors: share of a batch that is windows of actors' films.

    Raises:
        InputError: if the model has no prior of emotional motion.
    """
    if model.emotion is None:
        raise InputError("emote train: this model has no prior of emotional motion; run --stage prior first")
    drawing, tests = (Drawing(films, model.config, model.rig) for films in (material.teach, material.test))
    generator = torch.Generator().manual_seed(1)
    batches = [_batch(drawing, generator) for _ in range(SAMPLED // 4)]
    motion = torch.cat([spoken(batch.mouth) + batch.target for batch in batches])
    space = point_space(model.rig, CURVES, rearrange(motion, "b f k -> (b f) k").numpy(), upper=True)
    test = batch_of([tests.constructed(generator) for _ in range(TESTS)])
    readers = _readers(drawing, batches, test, run)
    emotion = model.emotion.train().requires_grad_(True)
    task = EmotionTask(emotion, drawing, readers, space, test, actors=material.actors, share=actors)
    settings = Settings(batch=2 * PAIRS, log_every=100, validate_every=200, cpu=True)
    train(task, settings, run.limits, run.folder, resume=run.resume, report=run.report)
    emotion.eval().requires_grad_(False)
    with torch.no_grad():
        run.report(f"{material.test_name}: {check(emotion, readers, space, test)}")
    return emotion


def _readers(drawing: Drawing, batches: list[Batch], test: Batch, run: Run) -> Readers:
    """Train both readers, or load them in a resumed run."""
    readers = Readers()
    kept = None if run.folder is None else run.folder / "readers.safetensors"
    if run.resume and kept is not None and kept.is_file():
        readers.load_state_dict(load_file(kept))
        return readers
    heard = torch.cat([rearrange(batch.inputs, "b f i -> (b f) i") for batch in batches[:4]])
    mean, deviation = heard.mean(0), heard.std(0) + 1e-3
    _, _, directions = torch.pca_lowrank((heard - mean) / deviation, q=SPEECH)
    scale = (((heard - mean) / deviation) @ directions).std(0)

    def reading(batch: Batch) -> Reading:
        strongest = batch.emotion.mean(1)
        label = torch.where(strongest.max(1).values < NEUTRAL_BELOW, 0, strongest.argmax(1) + 1)
        speech = ((batch.inputs - mean) / deviation) @ directions / scale
        half = torch.arange(len(label)) % len(EMOTIONS) == 0  # One in eight shows speech alone: neutral.
        motion = spoken(batch.mouth) + batch.target * (~half)[:, None, None]
        return Reading(motion, torch.where(half, 0, label), speech)

    task = ReaderTask(readers, lambda generator: reading(_batch(drawing, generator)), reading(test))
    limits = Limits(
        minutes=None if run.limits.minutes is None else run.limits.minutes * READER_SHARE,
        steps=None if run.limits.steps is None else max(1, round(run.limits.steps * READER_SHARE)),
    )
    train(task, Settings(batch=2 * PAIRS, log_every=100, validate_every=200, cpu=True), limits, None, report=run.report)
    if kept is not None:
        kept.parent.mkdir(parents=True, exist_ok=True)
        save_file(readers.state_dict(), kept)
    return readers


def _added(drawing: Drawing, generator: torch.Generator, actors: Sequence[HeardFilm]) -> Tensor:
    """(B, PRIOR_FRAMES, K) windows of what emotions add; half of them are actors', if there are any."""
    pairs = [drawing.constructed(generator) for _ in range(PAIRS // 2 if actors else PAIRS)]
    windows = [window.target for pair in pairs for window in pair]
    if actors:
        chosen = torch.randint(len(actors), (PAIRS,), generator=generator).tolist()
        windows += [drawing.filmed(actors[number], generator).target for number in chosen]
    return rearrange(torch.stack(windows), "b (two f) k -> (b two) f k", f=PRIOR_FRAMES)


def _batch(drawing: Drawing, generator: torch.Generator) -> Batch:
    return batch_of([drawing.constructed(generator) for _ in range(PAIRS)])


def _normalise(model: EmotionModel, drawing: Drawing, generator: torch.Generator) -> None:
    """Set the mean and scale of the inputs."""
    heard = torch.cat([rearrange(_batch(drawing, generator).inputs, "b f i -> (b f) i") for _ in range(SAMPLED // 12)])
    model.mean.copy_(heard.mean(0))
    model.scale.copy_(1 / (heard.std(0) + 1e-3))
