"""Batches drawn in the device's memory: what `Sampler` draws, many at a time."""

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import torch

from emo_core.dataset.shards import TRAIN, read_clips
from emo_core.emo.sampling.schedule import make_scheduler
from emo_core.emo.training.objective import inputs
from emo_core.emo.training.on_device import Drawing, Resident
from emo_core.emo.training.samples import Sampler, collate
from emo_core.emo.training.stages import STAGES
from emo_core.errors import InputError
from tests.conftest import CONFIG

SETTINGS = {"batch": 5, "resident": True}
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def resident(dataset):
    return Resident.load(dataset, CPU)


def draw(resident, stage="3", consumed=0, count=1, **settings):
    drawing = Drawing(resident, CONFIG, STAGES[stage].with_options(SETTINGS | settings))
    return list(islice(drawing.batches(consumed), count))


@pytest.mark.parametrize("stage", ["1", "2", "3"])
def test_the_same_shapes_as_from_shards(dataset, resident, stage):
    config = STAGES[stage].with_options(SETTINGS | {"frames": 3 if stage == "1" else 0})
    clip = next(read_clips(dataset, TRAIN))
    one = collate([Sampler(CONFIG, config).draw(clip, np.random.default_rng(i)) for i in range(5)])
    other = draw(resident, stage, frames=config.frames, drop_speed=0.0)[0]
    for name in ("latents", "features", "mask", "speed", "weight", "noise", "timesteps", "motion_known", "motion_noise",
                 "motion_level", "motion_keep", "motion_anchor", "borrowed", "mouths", "openings", "keep_reference", "keep_audio"):  # fmt: skip
        a, b = getattr(one, name), getattr(other, name)
        assert (a is None) == (b is None), name
        if a is not None:
            assert (a.shape, a.dtype) == (b.shape, b.dtype), name


def test_samples_are_the_clips_own(dataset, resident):
    """Target frames follow each other, their windows of sound and speeds are theirs, and the reference is away from them."""
    clips = list(read_clips(dataset, TRAIN))
    batch = draw(resident, voices=False, constant_speed=0.0, drop_speed=0.0)[0]
    m, frames = CONFIG.audio.window, CONFIG.temporal.frames
    for row in range(5):
        target = batch.latents[row, -frames:].half().numpy()
        clip, first = next(
            (clip, start)
            for clip in clips
            for start in range(clip.frames - frames + 1)
            if np.array_equal(clip.latents[start : start + frames], target)
        )
        around = np.clip(first + np.arange(frames)[:, None] + np.arange(-m, m + 1), 0, clip.frames - 1)
        assert np.array_equal(batch.features[row].half().numpy(), clip.features[0][around])
        near = np.arange(first - m, first + frames + m).clip(0, clip.frames - 1)
        assert np.allclose(batch.speed[row], clip.labels.speed[near])
        reference = batch.latents[row, 0].half().numpy()
        (place,) = (i for i in range(clip.frames) if np.array_equal(clip.latents[i], reference))
        assert not first <= place < first + frames
        if batch.motion_known[row]:
            assert first >= CONFIG.temporal.motion_frames
            before = batch.latents[row, 1:-frames].half().numpy()
            assert np.array_equal(before, clip.latents[first - CONFIG.temporal.motion_frames : first])


def test_equal_steps_are_equal_and_others_are_not(resident):
    whole, rest = draw(resident, count=4), draw(resident, consumed=2, count=2)
    assert torch.equal(whole[2].noise, rest[0].noise) and torch.equal(whole[3].latents, rest[1].latents)
    assert not torch.equal(whole[0].noise, whole[1].noise)
    other = Drawing(resident, CONFIG, STAGES["3"].with_options(SETTINGS), rank=1)
    assert not torch.equal(next(other.batches(0)).noise, whole[0].noise)


@pytest.mark.parametrize("steps", [2, 4])
def test_the_models_own_timesteps(dataset, resident, steps):
    """Those that its sampler visits, from shards and from memory alike."""
    model = replace(CONFIG, diffusion=replace(CONFIG.diffusion, steps=steps))
    scheduler = make_scheduler("ddim", model.diffusion)
    scheduler.set_timesteps(steps)
    stage = STAGES["few"].with_options(SETTINGS | {"own_timesteps": 1.0})
    batches = islice(Drawing(resident, model, stage).batches(0), 8)
    clip = next(read_clips(dataset, TRAIN))
    drawn = {int(t) for batch in batches for t in batch.timesteps}
    from_shards = {int(Sampler(model, stage).draw(clip, np.random.default_rng(i)).timesteps) for i in range(30)}
    assert drawn == from_shards == set(scheduler.timesteps.tolist())
    some = replace(stage, own_timesteps=0.5)
    among = torch.cat([batch.timesteps for batch in islice(Drawing(resident, model, some).batches(0), 40)])
    assert np.isin(among.numpy(), list(drawn)).mean() == pytest.approx(0.5, abs=0.12)


def test_motion_frames_are_anchored_one_by_one(resident):
    anchors = draw(resident, "2", motion_anchor=0.5)[0].motion_anchor.flatten()
    assert len(set(anchors.tolist())) == 5 and 0 <= anchors.min() and anchors.max() <= 0.5
    from_some = draw(resident, "2", motion_anchor=0.5, motion_anchor_from=0.4)[0].motion_anchor
    assert 0.4 <= from_some.min() < from_some.max() <= 0.5


def test_masks_cover_the_faces(dataset, resident):
    batch = draw(resident, white_mask=0.0, mask_grow=0.0)[0]
    clips = list(read_clips(dataset, TRAIN))
    areas = {round(float((b[:, 2:].max(0) - b[:, :2].min(0)).prod()), 2) for b in (clip.labels.boxes for clip in clips)}
    for mask in batch.mask:
        assert min(abs(float(mask.mean()) - area) for area in areas) < 0.06
    assert draw(resident, white_mask=1.0)[0].mask.min() == 1


def test_shares_say_how_often(resident):
    only = replace(resident, share=torch.tensor([0.0, 1.0, *[0.0] * (len(resident.share) - 2)]))
    first, last = int(resident.starts[1]), int(resident.starts[1] + resident.lengths[1])
    own = resident.latents[first:last].float()
    for latent in draw(only)[0].latents.flatten(0, 1):
        assert bool((own == latent).flatten(1).all(1).any())


def test_the_portrait_stands_in_for_motion_frames(resident):
    config = replace(CONFIG, temporal=replace(CONFIG.temporal, first_clip="reference"))
    batch = draw(resident, start=1.0, motion_noise=0.0, motion_patch_drop=0.0)[0]
    _, conditions = inputs(batch, config, None)
    assert torch.equal(conditions.motion, conditions.reference[:, None].expand_as(conditions.motion))
    assert conditions.motion_known is None
    assert not inputs(batch, CONFIG, None)[1].motion_known.any()


def test_what_is_not_cached_is_refused(plain):
    with pytest.raises(InputError, match="is not cached"):
        Resident.load(plain, CPU)
