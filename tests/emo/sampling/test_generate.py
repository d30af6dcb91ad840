"""Any length: clips, chaining and seeds."""

from dataclasses import replace

import pytest
import torch

from emo_core.audio.encoder import AudioEncoder
from emo_core.audio.features import AudioFeatures
from emo_core.emo.models.emo import EMO
from emo_core.emo.sampling.clips import clip_generator, clip_noise, plan_clips
from emo_core.emo.sampling.denoiser import Denoiser
from emo_core.emo.sampling.generate import Settings, Subject, clip_conditions, generate
from emo_core.emo.sampling.guidance import Guidance
from emo_core.errors import InputError
from emo_core.media.sound import Sound
from tests.conftest import CONFIG, tone

F = CONFIG.temporal.frames
FAST = Settings(steps=2, guidance=Guidance.of(audio=2.0))


class Recorded:
    """Windows that are given, in place of those that an encoder computes."""

    def __init__(self, windows: torch.Tensor) -> None:
        self.all, self.frames = windows, len(windows)

    def windows(self, start: int, stop: int) -> torch.Tensor:
        return self.all[torch.arange(start, stop).clamp(max=self.frames - 1)]


def subject(audio) -> Subject:
    draw = torch.Generator().manual_seed(3)
    latent = torch.randn(CONFIG.vae.channels, CONFIG.latent_size, CONFIG.latent_size, generator=draw)
    return Subject(frames=audio.frames, values={"reference": latent, "audio": audio})


def heard(seconds: float) -> Subject:
    torch.manual_seed(3)
    encoder = AudioEncoder.from_config(CONFIG.audio)
    return subject(AudioFeatures(Sound(tone(seconds)), encoder, fps=CONFIG.fps, window=2, chunk_seconds=0.2))


def recorded(frames: int) -> torch.Tensor:
    draw = torch.Generator().manual_seed(4)
    return torch.randn(frames, 5, CONFIG.audio.layers, CONFIG.audio.width, generator=draw)


def video(emo, who: Subject, settings: Settings = FAST) -> torch.Tensor:
    return torch.cat(list(generate(Denoiser(emo), who, settings)))


@pytest.mark.parametrize(("frames", "per_clip"), [(1, 4), (4, 4), (5, 4), (8, 4), (31, 12)])
def test_clips_cover_every_frame_once(frames, per_clip):
    clips = plan_clips(frames, per_clip)
    covered = [frame for clip in clips for frame in range(clip.start, clip.stop)]
    assert covered == list(range(frames))
    assert [clip.index for clip in clips] == list(range(len(clips)))
    assert all(clip.stop - clip.start == per_clip for clip in clips[:-1])


@pytest.mark.parametrize("seconds", [0.1, 0.16, 0.5, 0.53])
def test_frames_are_exactly_the_sounds(emo, seconds):
    assert len(video(emo, heard(seconds))) == round(seconds * CONFIG.fps)


def test_same_seed_same_video_other_seed_other_video(emo):
    first, again = video(emo, heard(0.3)), video(emo, heard(0.3))
    assert torch.equal(first, again)
    assert not torch.allclose(first, video(emo, heard(0.3), replace(FAST, seed=1)))


def test_chained_equals_unchained_for_the_first_clip(emo):
    windows = recorded(3 * F)
    alone, chained = video(emo, subject(Recorded(windows[:F]))), video(emo, subject(Recorded(windows)))
    assert torch.equal(alone, chained[:F])


def test_a_clip_depends_on_earlier_clips_only(emo):
    windows = recorded(3 * F)
    plain = video(emo, subject(Recorded(windows)))
    for clip in range(3):
        changed = windows.clone()
        changed[clip * F : (clip + 1) * F] += 1
        differs = [not torch.equal(a, b) for a, b in zip(plain, video(emo, subject(Recorded(changed))), strict=True)]
        assert not any(differs[: clip * F]) and all(differs[clip * F :])


def test_noise_shares_its_variance_and_has_unit_power():
    shape = (64, 4, 16, 16)
    noise = clip_noise(clip_generator(7, 0), shape, seed=7, shared=0.5)[0]
    assert noise.var().item() == pytest.approx(1, abs=0.1)
    assert (noise[0] * noise[1]).mean().item() == pytest.approx(0.5, abs=0.1)
    later = clip_noise(clip_generator(7, 1), shape, seed=7, shared=0.5)[0]
    assert (noise[0] * later[0]).mean().item() == pytest.approx(0.5, abs=0.1)
    independent = clip_noise(clip_generator(7, 1), shape, seed=7, shared=0.0)[0]
    assert (noise[0] * independent[0]).mean().item() == pytest.approx(0, abs=0.1)


def test_clip_seeds_are_pinned():
    """Saved workflows promise the same video for the same seed."""
    drawn = [torch.randint(0, 1000, (1,), generator=clip_generator(42, i)).item() for i in range(3)]
    assert drawn == [31, 515, 793]


def test_an_anchor_pulls_motion_frames_to_the_portrait(emo):
    who, clip = heard(0.3), plan_clips(8, F)[1]
    motion = torch.randn(CONFIG.temporal.motion_frames, *who.reference.shape)

    def motion_of(anchor: float, given: torch.Tensor | None) -> torch.Tensor:
        held = EMO(replace(CONFIG, temporal=replace(CONFIG.temporal, anchor=anchor)))
        return clip_conditions(Denoiser(held), who, clip, given).motion[0]

    assert torch.equal(motion_of(0.0, motion), motion)
    assert torch.allclose(motion_of(0.25, motion), 0.75 * motion + 0.25 * who.reference)
    assert not motion_of(0.25, None).any()
    with pytest.raises(ValueError, match="anchor=1"):
        replace(CONFIG.temporal, anchor=1.0)


def test_damaged_weights_make_no_video(emo):
    next(emo.backbone.parameters()).data.fill_(float("nan"))
    with pytest.raises(InputError, match="the network gives numbers that are not finite in float32"):
        video(emo, heard(0.3))
