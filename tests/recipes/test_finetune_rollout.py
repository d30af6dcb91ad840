"""The fine-tuning of emo-mini's few-step network on its own samples."""

import sys
from dataclasses import replace

import pytest
import torch

from emo_core.audio.encoder import AudioEncoder
from emo_core.dataset.shards import TRAIN
from emo_core.emo.conditions.clip import Conditions
from emo_core.emo.models.emo import EMO
from emo_core.emo.models.vae import VAE
from emo_core.emo.sampling.denoiser import Denoiser
from emo_core.emo.sampling.guidance import Guidance, GuidedContext
from emo_core.emo.sampling.sampler import sample
from emo_core.emo.training.cli import stage_config
from emo_core.emo.training.objective import Frozen, inputs
from emo_core.emo.training.on_device import DeviceBatches
from emo_core.emo.training.samples import Sampler
from emo_core.emo.training.trainable import part_of
from emo_core.emo.weights.checkpoint import load_checkpoint
from recipes.emo_mini import finetune_rollout as rollout
from recipes.emo_mini import gather, mouth_reader, train
from tests.conftest import CONFIG
from tests.synthetic import write_dataset

FEW = replace(CONFIG, diffusion=replace(CONFIG.diffusion, steps=2))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Three clips of one person, two of another, as GRID's file names tell them apart."""
    files = ("bbaf2n.mp4", "lgaz8p.mp4", "swab8p.mp4", "s26_bgbsza.mp4", "s26_lbbo3n.mp4")
    return write_dataset(tmp_path_factory.mktemp("mini") / "data", clips=5, files=files)


@pytest.fixture(scope="module")
def parts():
    torch.manual_seed(0)
    encoder, vae = AudioEncoder.from_config(FEW.audio), VAE(FEW.vae)
    return EMO(FEW), vae.eval().requires_grad_(False), encoder.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def clips(data, parts):
    _, vae, encoder = parts
    filmed = gather.film(data, TRAIN, torch.device("cpu"))
    chosen = gather.variants(filmed, 1)
    features = list(gather.features_of(filmed, encoder, FEW))
    return gather.join_clips(filmed, chosen, gather.encode(filmed, chosen, vae, half=False), features)


@pytest.fixture(scope="module")
def batch(clips):
    stage = stage_config("few", None, ["batch=2", "on_device=true", "workers=0", "mouth_weight=2", "drop={speed: 1.0}"])
    return next(DeviceBatches(clips, Sampler(FEW, stage)).batches(0))


def test_openings_and_mouths_are_the_targets_own(data, clips, batch):
    """The synthetic mouth's height tells its opening, in every variant that is not enlarged or warped."""
    assert batch.openings.shape == batch.mouths.shape[:2] == (2, FEW.temporal.frames)
    labels = gather.film(data, TRAIN, torch.device("cpu"))[0].clip.labels
    assert clips.openings[: clips.lengths[0]].numpy() == pytest.approx(labels.opening, abs=1e-6)
    heights = batch.mouths[..., 3] - batch.mouths[..., 1]
    for height, opening in zip(heights, batch.openings, strict=True):
        assert torch.corrcoef(torch.stack([height, opening]))[0, 1] > 0.8


def test_some_references_are_framed_otherwise(clips):
    """`other_reference` marks them: where the latents of the reference are another clip's."""
    stage = stage_config("few", None, ["batch=64", "on_device=true", "workers=0"])
    many = next(DeviceBatches(clips, Sampler(FEW, stage)).batches(0))
    assert 0.05 < many.other_reference.float().mean() < 0.5
    owners = [
        {tuple(x) for x in clips.latents[a : a + n].flatten(1)[:, :6].tolist()}
        for a, n in zip(clips.starts, clips.lengths, strict=True)
    ]

    def owner(latent: torch.Tensor) -> set[int]:
        values = tuple(latent.half().flatten()[:6].tolist())
        return {number for number, frames in enumerate(owners) if values in frames}

    for reference, target, borrowed in zip(many.latents[:, 0], many.latents[:, -1], many.other_reference, strict=True):
        assert bool(owner(reference) & owner(target)) != bool(borrowed)


def test_the_place_tells_nothing_of_the_opening():
    closed, opened = torch.tensor([0.4, 0.6, 0.6, 0.62]), torch.tensor([0.4, 0.55, 0.6, 0.7])
    middles, sides = mouth_reader.places(torch.stack([closed, opened, opened])[None])
    assert torch.equal(middles, middles[:, :1].expand_as(middles))
    assert torch.allclose(sides, torch.full_like(sides, 0.2 * mouth_reader.AROUND))


def test_a_piece_is_where_the_mouth_is():
    latents = torch.zeros(1, 1, 16, 16)
    latents[:, :, 8:12, 4:8] = 1  # .25 .. .5 across, .5 .. .75 down.
    middle = torch.tensor([[0.375, 0.625]])
    assert torch.allclose(
        mouth_reader.pieces(latents, middle, torch.tensor([0.18])), torch.ones(mouth_reader.SIDE, mouth_reader.SIDE)
    )
    around = mouth_reader.pieces(latents, middle, torch.tensor([0.5]))
    assert around.mean() == pytest.approx(0.25, abs=0.06) and around[..., 0, 0] == 0


@pytest.mark.slow
def test_a_reader_learns_openings(clips):
    """From latents that show it by one channel's amount at the mouth, in noise; evaluated without noise."""
    torch.manual_seed(1)
    openings = 0.05 * torch.rand(len(clips.latents))
    shown = torch.randn(len(openings), 4, 16, 16) * 0.3
    left, top, right, bottom = (16 * clips.mouths).round().long().T
    for number, opening in enumerate(openings):
        shown[number, 0, top[number] - 1 : bottom[number] + 2, left[number] : right[number] + 1] += 40 * opening
    data = replace(clips, latents=shown.half(), openings=openings)
    lines = []
    trained = mouth_reader.train_reader(data, 150, seed=0, report=lines.append)
    readers = rollout.Readers((trained,), *mouth_reader.scale(data))
    clip = slice(int(data.starts[1]), int(data.starts[1] + data.lengths[1]))
    middles, sides = mouth_reader.places(data.mouths[clip])
    read = trained(mouth_reader.pieces(data.latents[clip], middles, sides))
    assert torch.corrcoef(torch.stack([read, openings[clip]]))[0, 1] > 0.9
    assert [line.split(":")[0] for line in lines] == ["reader 0, step 150"]
    assert not any(value.requires_grad for value in trained.parameters())
    assert readers.deviation == pytest.approx(float(openings.std()))


def test_it_generates_as_the_sampler_does(parts, batch):
    emo, vae, encoder = parts
    denoiser = Denoiser(emo)
    _, conditions = inputs(batch, FEW, Frozen(vae, encoder))
    drawn = rollout.generate_latents(denoiser, batch.noise, emo.context(conditions))
    assert drawn.requires_grad
    for number in range(2):
        row = slice(number, number + 1)
        values = {name: value[row] for name, value in conditions.values.items()}
        one = Conditions(values, motion=conditions.motion[row], motion_known=conditions.motion_known[row])
        guided = GuidedContext(emo.context(one), Guidance())
        expected = sample(denoiser, guided, batch.noise[number : number + 1], steps=2)
        assert torch.allclose(drawn[number], expected[0], atol=1e-4)


def test_the_loss_is_the_distance_from_the_film(parts, clips, batch):
    """At the mouth, around it, and in how far the mouth is open, each by its own weight."""
    emo, vae, encoder = parts
    denoiser = Denoiser(emo)
    clean, conditions = inputs(batch, FEW, Frozen(vae, encoder))
    readers = rollout.Readers((mouth_reader.MouthReader(clean.shape[2]).eval(),), *mouth_reader.scale(clips))
    with torch.no_grad():
        drawn = rollout.generate_latents(denoiser, batch.noise, emo.context(conditions))

        def loss(clip: torch.Tensor, **weights: float) -> torch.Tensor:
            nothing = {"opening": 0.0, "mouth": 0.0, "around": 0.0}
            return rollout.Rollout(denoiser, denoiser, readers, rollout.Weights(**nothing | weights))(
                lent, clip, conditions
            )

        lent = replace(batch, other_reference=torch.ones(2).bool())
        at_mouth = (batch.weight > 1).float()
        for part, cells in (("mouth", at_mouth), ("around", 1 - at_mouth)):
            assert torch.allclose(loss(drawn + 1 - cells, **{part: 1.0}), torch.zeros(2), atol=1e-8)
            assert loss(drawn + 0.5 * cells, **{part: 2.0}).mean() == pytest.approx(0.5, rel=1e-3)
        assert torch.allclose(loss(clean, opening=2.0), 2 * readers.errors(drawn, batch))


def test_elsewhere_the_target_is_the_earlier_sample_unless_the_face_moves(parts, clips, batch):
    """With a high speed, or a reference that is framed in another way, the target is the film everywhere; at the mouth it always is."""
    emo, vae, encoder = parts
    torch.manual_seed(3)
    before, denoiser = Denoiser(EMO(FEW)), Denoiser(emo)
    clean, conditions = inputs(batch, FEW, Frozen(vae, encoder))
    readers = rollout.Readers((mouth_reader.MouthReader(clean.shape[2]).eval(),), *mouth_reader.scale(clips))
    around, mouth = (
        rollout.Rollout(
            denoiser, before, readers, rollout.Weights(**{"opening": 0.0, "mouth": 0.0, "around": 0.0} | {part: 1.0})
        )
        for part in ("around", "mouth")
    )
    window = torch.ones(2, clean.shape[1] + 2 * FEW.speed.window)
    slow, fast = 0.5 * rollout.MOVING * window, 2 * rollout.MOVING * window
    mixed, stays = torch.tensor([False, True]), torch.zeros(2).bool()
    with torch.no_grad():
        with_speed = conditions.replaced(speed=slow)
        old, new = (
            rollout.generate_latents(net, batch.noise, net.emo.context(with_speed)) for net in (before, denoiser)
        )
        cells = (batch.weight <= 1).float()
        apart = [((new - target).square() * cells / cells.mean()).mean((1, 2, 3, 4)) for target in (old, clean)]
        loss = around(
            replace(batch, other_reference=mixed, conditions={**batch.conditions, "speed": slow}), clean, with_speed
        )
        assert torch.allclose(loss, torch.where(mixed, apart[1], apart[0]), rtol=1e-3)
        loss = around(
            replace(batch, other_reference=stays, conditions={**batch.conditions, "speed": fast}), clean, with_speed
        )
        assert torch.allclose(loss, apart[1], rtol=1e-3)
        staying = replace(batch, other_reference=stays, conditions={**batch.conditions, "speed": slow})
        assert torch.allclose(mouth(staying, new, with_speed), torch.zeros(2), atol=1e-8)
        assert (mouth(staying, clean, with_speed) > 0.01).all()


def test_target_openings_are_farther_from_their_mean(clips, batch):
    blind = mouth_reader.MouthReader(FEW.vae.channels).eval()  # It reads the mean everywhere.
    torch.nn.init.zeros_(blind.net[-1].weight)
    torch.nn.init.zeros_(blind.net[-1].bias)
    readers = rollout.Readers((blind,), *mouth_reader.scale(clips))
    filmed = ((batch.openings - readers.mean) / readers.deviation).square().mean(1)
    assert torch.allclose(
        readers.errors(batch.latents[:, -batch.openings.shape[1] :], batch), rollout.STRETCH**2 * filmed
    )


def test_the_finished_weights_are_an_average(parts):
    before, _, _ = parts
    learnt = EMO(FEW)
    old, new, averaged = (
        net.state_dict() for net in (before, learnt, train.average(before, learnt, rollout.REST, rollout.WHOLE))
    )
    for name, value in averaged.items():
        share = 1.0 if part_of(name) in ("audio", "temporal") else rollout.REST
        assert torch.allclose(value, old[name] + share * (new[name] - old[name]), atol=1e-6)


def test_the_gradient_goes_through_all_steps(parts, clips, batch):
    """A change of the noise, where the first step begins, changes the loss as its gradient predicts."""
    emo, vae, encoder = parts
    clean, conditions = inputs(batch, FEW, Frozen(vae, encoder))
    readers = rollout.Readers((mouth_reader.MouthReader(clean.shape[2]).eval(),), *mouth_reader.scale(clips))
    loss = rollout.Rollout(Denoiser(emo), Denoiser(emo), readers)
    noise = batch.noise.clone().requires_grad_()
    direction = torch.randn(noise.shape, generator=torch.Generator().manual_seed(0))
    total = loss(replace(batch, noise=noise), clean, conditions).sum()
    (gradient,) = torch.autograd.grad(total, noise)
    step = 1e-3
    with torch.no_grad():
        ways = [
            loss(replace(batch, noise=batch.noise + sign * step * direction), clean, conditions).sum()
            for sign in (1, -1)
        ]
    assert float((ways[0] - ways[1]) / (2 * step)) == pytest.approx(float((gradient * direction).sum()), rel=0.1)


@pytest.mark.slow
def test_the_network_learns_and_nothing_else(data, parts, tmp_path, monkeypatch):
    """On finished files of the tests' size."""
    emo, vae, encoder = parts
    for name, config in (("emo-mini", CONFIG), ("emo-mini-few", FEW)):
        train.finish(tmp_path, replace(config, name=name), {"emo": emo, "vae": vae, "audio_encoder": encoder})
    monkeypatch.setattr(sys, "argv", ["finetune_rollout", "--data", str(data.folder), "--init", str(tmp_path), "--out", str(tmp_path / "out"), "--steps", "2",
                                      "--reader-steps", "3", "--people", "1", "--set", "batch=2", "--precision", "no", "--device", "cpu"])  # fmt: skip
    rollout.main()
    before, after = (
        {name: load_checkpoint(folder / f"{name}.safetensors") for name in ("emo-mini", "emo-mini-few")}
        for folder in (tmp_path, tmp_path / "out")
    )
    learnt = {}
    for name, old in before.items():
        new = after[name]
        for part in ("vae", "audio_encoder"):
            states = [getattr(checkpoint, part).state_dict() for checkpoint in (old, new)]
            assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
        learnt[name] = {key: new.emo.state_dict()[key] - value for key, value in old.emo.state_dict().items()}
    changed = {part_of(key) for key, value in learnt["emo-mini-few"].items() if value.any()}
    assert changed >= {"audio", "temporal", "backbone", "reference_net", "face_locator"}
    assert not any(value.any() for value in learnt["emo-mini"].values())
    few, base = (before[name].config for name in ("emo-mini-few", "emo-mini"))
    assert after["emo-mini-few"].config == replace(few, temporal=replace(few.temporal, anchor=rollout.ANCHOR))
    assert after["emo-mini"].config == replace(base, diffusion=replace(base.diffusion, shared_noise=rollout.BASE_NOISE))


def test_motion_frames_have_a_least_share_of_the_portrait(batch):
    shares = torch.tensor([0.0, 1.0]).view(2, 1, 1, 1, 1)
    altered = rollout.anchored(replace(batch, motion_anchor=shares))
    assert altered.motion_anchor.flatten().tolist() == pytest.approx([rollout.MIN_ANCHOR, 1.0])
