"""Batches drawn in the device's memory: what `Sampler` draws, many at a time."""

from dataclasses import fields, replace
from itertools import islice

import numpy as np
import pytest
import torch

from emo_core.dataset.shards import TRAIN, read_clips
from emo_core.emo.conditions.drawing import Chance
from emo_core.emo.conditions.face_region import box_masks
from emo_core.emo.sampling.schedule import make_scheduler
from emo_core.emo.training.batch import Batch
from emo_core.emo.training.batches import draw_sample
from emo_core.emo.training.objective import inputs
from emo_core.emo.training.on_device import DeviceBatches, load_on_device
from emo_core.emo.training.samples import Sampler
from emo_core.emo.training.stages import STAGES
from emo_core.errors import InputError
from emo_core.face.box import Box
from emo_core.face.region import region_mask
from emo_core.training.batches import seed_of
from tests.conftest import CONFIG

SETTINGS = {"batch": 5, "on_device": True}
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def clips_on_device(dataset):
    return load_on_device(dataset, CPU)


def draw(clips_on_device, stage="3", consumed=0, count=1, **settings):
    drawing = DeviceBatches(clips_on_device, Sampler(CONFIG, STAGES[stage].with_options(SETTINGS | settings)))
    return list(islice(drawing.batches(consumed), count))


@pytest.mark.parametrize("stage", ["1", "2", "3"])
def test_shards_and_memory_draw_the_same_numbers(dataset, clips_on_device, stage):
    """Equal generators draw equal samples of a clip, wherever the clip lies."""
    options = STAGES[stage].with_options(SETTINGS | {"frames": 3 if stage == "1" else 0})
    sampler = Sampler(CONFIG, options)
    for number, clip in enumerate(read_clips(dataset, TRAIN)):
        chance = Chance(torch.Generator().manual_seed(seed_of(options.seed, 1, number)))
        alone = draw_sample(sampler, clip, number)
        among = sampler.draw(clips_on_device, torch.tensor([number]), chance, keys=(clip.key,))
        for field in fields(Batch):
            if field.name != "other_reference":
                assert same(getattr(alone, field.name), getattr(among, field.name)), field.name


def same(a, b) -> bool:
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)
    return a == b


def test_samples_are_the_clips_own(dataset, clips_on_device):
    """Target frames follow each other, their windows of sound and speeds are theirs, and the reference is away from them."""
    clips = list(read_clips(dataset, TRAIN))
    batch = draw(clips_on_device, augmented_sounds=False, constant_speed=0.0, drop={"speed": 0.0})[0]
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
        assert np.array_equal(batch.conditions["audio"][row].half().numpy(), clip.features[0][around])
        near = np.arange(first - m, first + frames + m).clip(0, clip.frames - 1)
        assert np.allclose(batch.conditions["speed"][row], clip.labels.speed[near])
        reference = batch.latents[row, 0].half().numpy()
        (place,) = (i for i in range(clip.frames) if np.array_equal(clip.latents[i], reference))
        assert not first <= place < first + frames
        if batch.motion_known[row]:
            assert first >= CONFIG.temporal.motion_frames
            before = batch.latents[row, 1:-frames].half().numpy()
            assert np.array_equal(before, clip.latents[first - CONFIG.temporal.motion_frames : first])


def test_equal_steps_are_equal_and_others_are_not(clips_on_device):
    whole, rest = draw(clips_on_device, count=4), draw(clips_on_device, consumed=2, count=2)
    assert torch.equal(whole[2].noise, rest[0].noise) and torch.equal(whole[3].latents, rest[1].latents)
    assert not torch.equal(whole[0].noise, whole[1].noise)
    other = DeviceBatches(clips_on_device, Sampler(CONFIG, STAGES["3"].with_options(SETTINGS)), rank=1)
    assert not torch.equal(next(other.batches(0)).noise, whole[0].noise)


@pytest.mark.parametrize("steps", [2, 4])
def test_the_models_sampler_timesteps(dataset, clips_on_device, steps):
    """Those that its sampler visits, from shards and from memory alike."""
    model = replace(CONFIG, diffusion=replace(CONFIG.diffusion, steps=steps))
    scheduler = make_scheduler("ddim", model.diffusion, steps)
    stage = STAGES["few"].with_options(SETTINGS | {"sampler_timesteps": 1.0})
    batches = islice(DeviceBatches(clips_on_device, Sampler(model, stage)).batches(0), 8)
    clip = next(read_clips(dataset, TRAIN))
    drawn = {int(t) for batch in batches for t in batch.timesteps}
    from_shards = {int(draw_sample(Sampler(model, stage), clip, i).timesteps) for i in range(30)}
    assert drawn == from_shards == set(scheduler.timesteps)
    some = replace(stage, sampler_timesteps=0.5)
    among = torch.cat(
        [batch.timesteps for batch in islice(DeviceBatches(clips_on_device, Sampler(model, some)).batches(0), 40)]
    )
    assert np.isin(among.numpy(), list(drawn)).mean() == pytest.approx(0.5, abs=0.12)


def test_motion_frames_are_anchored_one_by_one(clips_on_device):
    anchors = draw(clips_on_device, "2", motion_anchor=0.5)[0].motion_anchor.flatten()
    assert len(set(anchors.tolist())) == 5 and 0 <= anchors.min() and anchors.max() <= 0.5


def test_masks_are_those_that_sampling_draws(dataset, clips_on_device):
    """The covered share of each cell, as `region_mask` draws a box: soft at the edges."""
    batch = draw(clips_on_device, white_mask=0.0, mask_grow=0.0)[0]
    size, side = CONFIG.image_size, CONFIG.mask_size
    expected = []
    for clip in read_clips(dataset, TRAIN):
        boxes = clip.labels.boxes * size
        box = Box(*boxes[:, :2].min(0).tolist(), *boxes[:, 2:].max(0).tolist())
        expected.append(region_mask(box, size, side))
    for mask in batch.conditions["face_region"][:, 0]:
        assert min(float((mask - other).abs().max()) for other in expected) < 1e-5
    assert ((batch.conditions["face_region"] > 0) & (batch.conditions["face_region"] < 1)).any()
    assert draw(clips_on_device, white_mask=1.0)[0].conditions["face_region"].min() == 1


def test_a_box_between_cells_covers_them_partly():
    mask = box_masks(torch.tensor([[0.125, 0.25, 0.5, 0.9375]]), 4)[0]
    assert mask.tolist() == [[0, 0, 0, 0], [0.5, 1, 0, 0], [0.5, 1, 0, 0], [0.375, 0.75, 0, 0]]


def test_shares_say_how_often(clips_on_device):
    only = replace(clips_on_device, share=torch.tensor([0.0, 1.0, *[0.0] * (len(clips_on_device.share) - 2)]))
    first, last = int(clips_on_device.starts[1]), int(clips_on_device.starts[1] + clips_on_device.lengths[1])
    own = clips_on_device.latents[first:last].float()
    for latent in draw(only)[0].latents.flatten(0, 1):
        assert bool((own == latent).flatten(1).all(1).any())


def test_the_portrait_stands_in_for_motion_frames(clips_on_device):
    config = replace(CONFIG, temporal=replace(CONFIG.temporal, first_clip="reference"))
    batch = draw(clips_on_device, start=1.0, motion_noise=0.0, motion_patch_drop=0.0)[0]
    _, conditions = inputs(batch, config, None)
    assert torch.equal(conditions.motion, conditions["reference"][:, None].expand_as(conditions.motion))
    assert conditions.motion_known is None
    assert not inputs(batch, CONFIG, None)[1].motion_known.any()


def test_what_is_not_cached_is_refused(plain):
    with pytest.raises(InputError, match="is not cached"):
        load_on_device(plain, CPU)
