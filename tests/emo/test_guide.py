"""The guide: a network without training copies it, diffusion runs on the rest, and memory does not grow with the video."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from emo_core.emo.animate import prepare_subject
from emo_core.emo.conditions.condition import Scene
from emo_core.emo.conditions.guide import GuideCondition, GuideFrames
from emo_core.emo.config import HALLO, EMOConfig, GuideConfig
from emo_core.emo.models.attention import zero_
from emo_core.emo.models.emo import EMO
from emo_core.emo.models.guide_pictures import Guide, with_details_of
from emo_core.emo.models.vae import VAE, decode_frames
from emo_core.emo.sampling.clips import plan_clips
from emo_core.emo.sampling.denoiser import Denoiser
from emo_core.emo.sampling.generate import Settings, generate
from emo_core.emo.sampling.guidance import Guidance, GuidedContext
from emo_core.emo.sampling.sampler import sample
from emo_core.emo.sampling.schedule import SCHEDULERS
from emo_core.errors import InputError
from emo_core.face.crop import Crop
from emo_core.face.selection import RegionRequest
from tests.conftest import CONFIG, awake, random_conditions, random_latents
from tests.emo.sampling.test_generate import Recorded, recorded

DIFFUSION = replace(CONFIG.diffusion, prediction="sample")
GUIDED = replace(CONFIG, guide=GuideConfig(layers=True, scale=0.25), diffusion=DIFFUSION)
F, SIDE = CONFIG.temporal.frames, CONFIG.image_size


def built(config):
    torch.manual_seed(0)
    return awake(EMO(config)).eval()


@pytest.fixture(scope="module")
def guided():
    return built(GUIDED)


@pytest.fixture(scope="module")
def vae():
    torch.manual_seed(1)
    return VAE(replace(CONFIG.vae, guide_width=8)).eval()


def scene(frames, config=GUIDED):
    return Scene(
        config=config,
        image=np.full((SIDE, SIDE, 3), 90, np.uint8),
        face=None,
        crop=Crop(0, 0, SIDE, SIDE),
        features=Recorded(recorded(frames)),
        fps=config.fps,
        encode=lambda picture: torch.full(
            (CONFIG.vae.channels, CONFIG.latent_size, CONFIG.latent_size), float(picture.mean()) / 255
        ),
    )


def pictures(frames):
    return [np.full((SIDE, SIDE, 3), 10 * number, np.uint8) for number in range(frames)]


def subject_of(frames, guide=None):
    return prepare_subject(scene(frames), {"guide": guide, "face_region": RegionRequest()})


def test_models_without_a_guide_have_no_layers_for_it():
    assert not hasattr(EMO(CONFIG), "guide_encoder")
    assert not any("guide" in name for name in VAE(CONFIG.vae).state_dict())
    assert EMOConfig.from_json(CONFIG.to_json()).guide == GuideConfig()
    assert not HALLO.guide.layers


def test_new_layers_change_nothing_before_they_are_trained():
    old, config = built(CONFIG), replace(CONFIG, guide=GuideConfig(layers=True, scale=1.0))
    new = EMO(config).eval()
    new.load_state_dict(new.state_dict() | old.state_dict())
    conditions = random_conditions(CONFIG).replaced(guide=random_latents(CONFIG, seed=7))
    noisy, timesteps = random_latents(CONFIG), torch.tensor([300])
    with torch.no_grad():
        before, after = (net(noisy, timesteps, net.context(conditions)) for net in (old, new))
    assert torch.equal(before, after)


@pytest.mark.parametrize("scheduler", list(SCHEDULERS))
def test_a_network_that_gives_zeros_copies_the_guide(scheduler):
    emo = built(GUIDED)
    zero_(emo.backbone.conv_out)
    guide = random_latents(GUIDED, seed=5)
    context = emo.context(random_conditions(GUIDED).replaced(guide=guide))
    for steps in (1, 2, 7):
        latents = sample(
            Denoiser(emo),
            GuidedContext(context, Guidance()),
            random_latents(GUIDED),
            scheduler=scheduler,
            steps=steps,
            generator=torch.Generator().manual_seed(0),
        )
        # DDIM's last step may end at timestep 0, which has a little noise; LCM keeps a little of its sample.
        assert (latents - guide).abs().max() < 0.03


def test_latents_are_the_guide_and_the_scaled_residual(guided):
    denoiser, guide, clean = Denoiser(guided), random_latents(GUIDED, seed=5), random_latents(GUIDED, seed=6)
    residual = denoiser.residual(clean, guide)
    assert torch.allclose(residual * 0.25 + guide, clean, atol=1e-6)
    assert torch.allclose(denoiser.restored(residual, guide), clean, atol=1e-6)
    assert denoiser.residual(clean, None) is clean and denoiser.restored(clean, None) is clean


def test_sampling_beside_a_guide_is_sampling_of_the_residual(guided):
    """The same network and features; only the sum at the end differs."""
    guide, noise = random_latents(GUIDED, seed=5), random_latents(GUIDED)
    context, previews = guided.context(random_conditions(GUIDED).replaced(guide=guide)), []
    bare = replace(context, guide=None)

    def run(given, keep):
        watch = (lambda step: previews.append(step.preview)) if keep else None
        return sample(Denoiser(guided), GuidedContext(given, Guidance.of(audio=2.0)), noise, steps=3, callback=watch)

    latents = run(context, True)
    assert torch.equal(latents, guide + 0.25 * run(bare, False))
    assert torch.allclose(previews[-1], latents[0], atol=1e-5)


def test_the_loss_is_of_the_residual(guided):
    denoiser, guide, clean = Denoiser(guided), random_latents(GUIDED, seed=5), random_latents(GUIDED, seed=6)
    conditions = random_conditions(GUIDED).replaced(guide=guide)
    arguments = {"noise": random_latents(GUIDED, seed=2), "timesteps": torch.tensor([999])}
    zero_(denoiser.emo.backbone.conv_out)
    try:
        loss = denoiser.loss(clean, conditions, **arguments)
        assert torch.allclose(loss, ((clean - guide) / 0.25).square().mean()[None], rtol=1e-5)
        assert denoiser.loss(guide, conditions, **arguments) == 0
    finally:
        awake(denoiser.emo)


def test_without_drawn_frames_there_is_nothing_to_repair(guided):
    with pytest.raises(InputError, match="repairs drawn frames, and got none"):
        guided.context(random_conditions(GUIDED))
    with pytest.raises(InputError, match="or use emo-mini"):
        subject_of(F)


def test_drawn_frames_are_read_clip_by_clip(guided):
    frames, taken = 2 * F + 1, []

    def drawn():
        for number, picture in enumerate(pictures(frames)):
            taken.append(number)
            yield picture

    subject = subject_of(frames, drawn())
    assert not taken
    seen = []
    made = generate(Denoiser(guided), subject, Settings(steps=1))
    for clip, latents in zip(plan_clips(frames, F), made, strict=True):
        assert len(taken) == clip.stop
        seen += [int(picture[0, 0, 0]) // 10 for picture in subject.guide(clip).pictures]
        assert len(latents) == clip.stop - clip.start
    assert seen == list(range(frames))


def test_each_frame_has_its_own_guide(guided):
    zero_(guided.backbone.conv_out)
    try:
        subject = subject_of(F + 2, iter(pictures(F + 2)))
        latents = torch.cat(list(generate(Denoiser(guided), subject, Settings(steps=2))))
        assert torch.allclose(latents.mean((1, 2, 3)) * 255, 10.0 * torch.arange(F + 2), atol=0.1)
    finally:
        awake(guided)


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        (pictures(F - 1), "the frames end at 3"),
        ([np.zeros((8, 8, 3), np.uint8)], "expected"),
        ([np.zeros((SIDE, SIDE, 3), np.float32)], "float32"),
    ],
)
def test_wrong_frames_are_refused(frames, message):
    with pytest.raises(InputError, match=message):
        GuideFrames(frames, scene(F)).of_clip(plan_clips(F, F)[0])


def test_clips_out_of_turn_and_models_without_a_guide_are_refused():
    guide = GuideFrames(pictures(2 * F), scene(2 * F))
    with pytest.raises(InputError, match="out of turn"):
        guide.of_clip(plan_clips(2 * F, F)[1])
    with pytest.raises(InputError, match="takes no drawn frames"):
        GuideCondition().check(pictures(1), CONFIG)
    GuideCondition().check(pictures(1), GUIDED)


def test_an_untrained_decoder_is_the_same_beside_a_guide(vae):
    plain = VAE(CONFIG.vae).eval()
    plain.load_state_dict({name: value for name, value in vae.state_dict().items() if "guide" not in name})
    latents = random_latents(CONFIG)[0]
    guide = torch.rand(F, 3, SIDE, SIDE) * 2 - 1
    with torch.no_grad():
        expected = plain.decode(latents)
        assert torch.equal(vae.decode(latents), expected)
        assert torch.equal(vae.decode(latents, guide), expected)
    with pytest.raises(ValueError, match="reads none"):
        plain.decode(latents, guide)


def test_a_trained_decoder_can_give_the_guides_own_pixels(vae):
    torch.manual_seed(2)
    opened = VAE(vae.config).eval()
    opened.net.guide.gate.bias.data.fill_(20.0)
    guide = np.random.default_rng(0).integers(0, 256, (F, SIDE, SIDE, 3), np.uint8)
    latents = random_latents(CONFIG)[0]
    frames = decode_frames(opened, latents, batch=3, guide=Guide(guide, latents))
    assert np.abs(frames.permute(0, 2, 3, 1).numpy() * 255 - guide).max() < 0.1


def test_details_are_the_guides_and_the_rest_is_the_pictures():
    draw = torch.Generator().manual_seed(0)
    guide, shade = torch.rand(2, 3, 40, 40, generator=draw), torch.zeros(2, 3, 40, 40)
    shade[..., 20:] = 1.0
    made = with_details_of(guide, shade, 1.5)
    assert torch.equal(with_details_of(guide, shade, 0.0), shade)
    assert torch.allclose(with_details_of(guide, guide + 0.3, 1.5), guide + 0.3, atol=1e-5)
    noise = [part - gaussian_blur(part) for part in (made, guide)]
    assert torch.corrcoef(torch.stack([part[..., 6:14].flatten() for part in noise]))[0, 1] > 0.97
    assert abs(made[..., :12].mean() - 0) < 0.02 and abs(made[..., 28:].mean() - 1) < 0.02


def gaussian_blur(pictures):
    return torch.nn.functional.avg_pool2d(pictures, 5, 1, 2)


def test_a_decoder_that_reads_no_guide_leaves_it_out():
    torch.manual_seed(3)
    plain, latents = VAE(CONFIG.vae).eval(), random_latents(CONFIG)[0]
    guide = Guide(np.zeros((F, SIDE, SIDE, 3), np.uint8), latents)
    assert torch.equal(decode_frames(plain, latents), decode_frames(plain, latents, guide=guide))


def test_only_small_autoencoders_read_a_guide():
    with pytest.raises(ValueError, match="guide_width"):
        replace(HALLO.vae, guide_width=8)
