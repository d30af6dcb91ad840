"""What the guided network learns from: who is kept out, guides that are wrong, and a loss in which a copy counts 1."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from emo_core.emo.conditions.clip import Conditions
from emo_core.emo.config import GuideConfig
from emo_core.emo.models.attention import zero_
from emo_core.emo.models.emo import EMO
from emo_core.emo.sampling.denoiser import Denoiser
from emo_core.emo.training.objective import inputs
from emo_core.emo.training.on_device import DeviceBatches
from emo_core.emo.training.samples import Sampler
from emo_core.face.coefficients import BLINK, MOUTH, NAMES
from emo_core.face.motion import FaceMotion
from recipes.emo_mini import guide_batches, guide_motion
from recipes.emo_mini.guide_batches import (
    GuidedObjective,
    at_the_first_step,
    mouth_cells,
    residual_scale,
    sometimes_hidden,
    spoken,
    training_clips,
)
from recipes.emo_mini.guide_gather import Gathered
from recipes.emo_mini.guide_motion import wrong
from recipes.emo_mini.guide_people import films, stills, strangers
from recipes.emo_mini.guide_readout import fit_output
from recipes.emo_mini.guide_train import STAGE
from recipes.emo_mini.guide_validate import KeptOut
from tests.conftest import CONFIG, awake

GUIDED = replace(
    CONFIG, guide=GuideConfig(layers=True, scale=0.5), diffusion=replace(CONFIG.diffusion, prediction="sample")
)
FRAMES, CLIPS = 10, 3


def data_folder(tmp_path):
    names = {
        "stills/faces_ai_faker": [f"female_{k:02d}.jpg" for k in range(30)],
        "stills/faces_cc0_interfaces": [f"{k:03d}.jpg" for k in range(14)],
        "stills/frl/canada": [f"{k:03d}f.jpg" for k in range(13)],
        "stills/frl/neutral_front": [f"{k:03d}_03.jpg" for k in range(26)],
        "stills/frl/smiling_front": [f"{k:03d}_08.jpg" for k in range(26)],
        "stills/us_congress_tests_only": ["senator.jpg"],
        "grid_s1": [f"s1_{k:03d}.mp4" for k in range(41)],
        "talk/grid": ["s26_a.mp4", "s30_a.mp4", "s31_a.mp4", "grid_swiz3n.mp4"],
        "talk/grid_more": ["s2_a.mp4", "s2_b.mp4"],
        "talk/grid_strangers": ["s34_a.mp4"],
        "talk/us_gov": ["reagan_26s.mp4"],
    }
    for folder, files in names.items():
        (tmp_path / folder).mkdir(parents=True)
        for name in files:
            (tmp_path / folder / name).touch()
    return tmp_path


def test_people_who_are_kept_out_teach_nothing(tmp_path):
    data = data_folder(tmp_path)
    found, speakers = stills(data), films(data, 4)
    assert not set(found.teach) & set(found.kept_out) and len(found.kept_out) == 6
    neutral = {path.stem[:3] for path in found.teach if path.parent.name == "neutral_front"}
    smiling = {path.stem[:3] for path in found.teach if path.parent.name == "smiling_front"}
    assert neutral == smiling and len(neutral) == 24
    assert not any("congress" in str(path) for path in found.teach)
    assert set(speakers) == {"s1", "s26", "s2"} and len(speakers["s1"]) == 4
    assert {path.stem for path in strangers(data)} == {"s30_a", "s31_a", "s34_a"}
    assert not {path.stem for own in speakers.values() for path in own} & {"s1_000", "s1_020", "grid_swiz3n"}


def motion(frames=60, seed=0):
    rng = np.random.default_rng(seed)
    coefficients = rng.uniform(0.1, 0.5, (frames, len(NAMES))).astype(np.float32)
    coefficients[30:34, [NAMES.index(name) for name in BLINK]] = 0.95
    turns = rng.normal(0, 1, (2, frames, 3)).astype(np.float32)
    return FaceMotion(coefficients=coefficients, rotation=turns[0], translation=turns[1], fps=25.0)


def test_a_guide_is_right_but_for_its_mouth():
    true, spoken = motion(), motion(seed=1)
    for seed in range(12):
        guide = wrong(true, spoken, np.random.default_rng(seed))
        assert np.array_equal(guide.rotation, true.rotation)
        same = [name for name in NAMES if name not in MOUTH]
        assert np.array_equal(guide.curves(same), true.curves(same))
        assert np.abs(guide.curves(MOUTH) - true.curves(MOUTH)).mean() > 0.02


def test_late_guides_are_late(monkeypatch):
    monkeypatch.setattr(guide_motion, "UNEVEN", 0.0)
    monkeypatch.setattr(guide_motion, "AMPLITUDE", (1.0, 1.0))
    monkeypatch.setattr(guide_motion, "SPOKEN", 0.0)
    monkeypatch.setattr(guide_motion, "LATE", 1.0)
    true = motion()
    jaw = wrong(true, true, np.random.default_rng(0)).curve("jawOpen")
    assert any(np.allclose(jaw[late:], true.curve("jawOpen")[:-late]) for late in (1, 2))


@pytest.fixture
def gathered():
    draw = torch.Generator().manual_seed(0)
    side, total = GUIDED.latent_size, FRAMES * CLIPS
    latents = torch.randn(total, GUIDED.vae.channels, side, side, generator=draw)
    return Gathered(
        {
            "latents": latents.half(),
            "guides": (latents + 0.5 * torch.randn(latents.shape, generator=draw)).half(),
            "portraits": latents[::FRAMES].half(),
            "features": torch.randn(total, GUIDED.audio.layers, GUIDED.audio.width, generator=draw).half(),
            "lengths": torch.full((CLIPS,), FRAMES),
            "boxes": torch.tensor([[0.2, 0.2, 0.8, 0.9]]).repeat(CLIPS, 1),
            "mouths": torch.tensor([[0.4, 0.65, 0.6, 0.75]]).repeat(total, 1),
            "openings": torch.rand(total, generator=draw),
            "speed": torch.rand(total, generator=draw),
        },
        ("a", "b", "c"),
    )


def batch_of(gathered, count=16):
    stage = replace(STAGE, batch=count)
    return next(iter(DeviceBatches(training_clips(gathered), Sampler(GUIDED, stage)).batches(0)))


def test_the_reference_is_the_clips_own_portrait(gathered):
    batch = batch_of(gathered)
    portraits = gathered.arrays["portraits"].float()
    assert all(any(torch.equal(reference, portrait) for portrait in portraits) for reference in batch.latents[:, 0])


def test_what_is_to_be_generated_is_the_films_mouth_in_the_drawn_frame(gathered):
    batch, arrays = batch_of(gathered), gathered.arrays
    mouth = mouth_cells(batch.mouths, GUIDED.latent_size) > 0
    difference = batch.latents[:, -GUIDED.temporal.frames :] - batch.conditions["guide"]
    assert not torch.where(mouth, 0, difference).any() and 0 < mouth.float().mean() < 0.6
    inside = difference[mouth.expand_as(difference)]
    assert 0.4 < inside.std() < 0.6
    assert abs(residual_scale(gathered) - inside.std()) < 0.05
    assert torch.equal(
        spoken(arrays | {"mouths": torch.tensor([[0.0, 0.0, 1.0, 1.0]]).repeat(30, 1)}), arrays["latents"]
    )


def test_noise_hides_what_speaks_in_some_guides(gathered, monkeypatch):
    monkeypatch.setattr(guide_batches, "HIDDEN", 0.5)
    batch = batch_of(gathered, 64)
    guide, drawn = (given.conditions["guide"] for given in (sometimes_hidden(batch), batch))
    assert torch.equal(guide, sometimes_hidden(batch).conditions["guide"])
    elsewhere = mouth_cells(batch.mouths, GUIDED.latent_size) == 0
    assert not torch.where(elsewhere, guide - drawn, 0).any()
    hidden = (guide - drawn).flatten(1).any(1)
    assert 0.2 < hidden.float().mean() < 0.8


def test_the_first_step_starts_from_pure_noise(gathered):
    assert (at_the_first_step(batch_of(gathered)).timesteps == GUIDED.diffusion.train_timesteps - 1).all()


def test_the_cells_of_a_mouth_reach_the_chin():
    mask = mouth_cells(torch.tensor([[[0.4, 0.5, 0.6, 0.55]]]), 16)[0, 0, 0]
    rows, columns = (torch.nonzero(mask.amax(dim)).flatten() for dim in (1, 0))
    assert (rows[0], rows[-1]) == (7, 11) and (columns[0], columns[-1]) == (5, 10)
    assert mask.sum() == len(rows) * len(columns)


def test_copying_the_guide_has_a_loss_of_one(gathered):
    torch.manual_seed(0)
    emo = awake(EMO(GUIDED))
    zero_(emo.backbone.conv_out)
    batch = batch_of(gathered)
    clean = batch.latents[:, -GUIDED.temporal.frames :]
    motion_latents = batch.latents[:, 1 : -GUIDED.temporal.frames]
    conditions = Conditions({"reference": batch.latents[:, 0], **batch.conditions}, motion=motion_latents)
    with torch.no_grad():
        losses = GuidedObjective(Denoiser(emo))(batch, clean, conditions)
    assert torch.allclose(losses, torch.ones_like(losses), atol=1e-4)


def test_the_fitted_output_is_better_than_a_copy(gathered):
    torch.manual_seed(0)
    denoiser = Denoiser(awake(EMO(GUIDED)).eval())
    batch = at_the_first_step(batch_of(gathered))
    clean, conditions = inputs(batch, GUIDED, None)
    fit_output(denoiser, None, iter([batch, batch]), 2)
    with torch.no_grad():
        assert GuidedObjective(denoiser)(batch, clean, conditions).mean() < 0.97


def test_joined_parts_keep_their_pictures_with_their_frames(gathered, tmp_path):
    pictures = torch.randint(0, 255, (4, 8, 8, 3), dtype=torch.uint8)
    part = Gathered(gathered.arrays | {"truth": pictures, "frame": torch.tensor([0, 3, 10, 29])}, gathered.names)
    Gathered.joined([part, part]).save(tmp_path / "clips.safetensors")
    joined = Gathered.open(tmp_path / "clips.safetensors")
    assert joined.names == gathered.names * 2 and joined.arrays["frame"].tolist() == [0, 3, 10, 29, 30, 33, 40, 59]
    latents = joined.arrays["latents"]
    assert torch.equal(latents[joined.arrays["frame"][4:]], gathered.arrays["latents"][joined.arrays["frame"][:4]])


def test_kept_out_numbers_are_one_for_a_copy_and_hear_the_sound(gathered):
    torch.manual_seed(0)
    emo = awake(EMO(GUIDED)).eval()
    validate = KeptOut(training_clips(gathered), replace(STAGE, precision="no"), frozen=None)
    with torch.no_grad():
        heard = validate.numbers(Denoiser(emo))
        zero_(emo.backbone.conv_out)
        copied = validate.numbers(Denoiser(emo))
    assert copied == {"mouth": pytest.approx(1), "mouth_other": pytest.approx(1), "elsewhere": 0}
    assert heard["mouth"] != heard["mouth_other"] and heard["elsewhere"] > 0
