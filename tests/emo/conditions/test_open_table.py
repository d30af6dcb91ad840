"""A new condition is one file and one line of the table: it reaches the network from command line, batch and guidance."""

import argparse
from dataclasses import replace

import pytest
import torch
from torch import nn

from emo_core.animate.cli import add_parser
from emo_core.animate.emo_options import read_request
from emo_core.dataset.shards import TRAIN, read_clips
from emo_core.emo.animate import prepare_subject
from emo_core.emo.conditions import table
from emo_core.emo.conditions.condition import Condition, Scene
from emo_core.emo.config import EMO_MINI
from emo_core.emo.models.emo import EMO
from emo_core.emo.sampling.denoiser import Denoiser
from emo_core.emo.sampling.generate import Settings, generate
from emo_core.emo.sampling.guidance import Guidance
from emo_core.emo.training.batches import draw_sample
from emo_core.emo.training.objective import Objective, inputs
from emo_core.emo.training.samples import Sampler
from emo_core.emo.training.stages import STAGES
from emo_core.emo.training.trainable import freeze_all_but, trainable_parameters
from emo_core.face.crop import Crop
from tests.conftest import CONFIG, awake
from tests.emo.sampling.test_generate import Recorded, recorded


class SmileCondition(Condition):
    """How much the face smiles, from 0 to 1: the toy of this test."""

    name = "smile"
    module_name = "smile_encoder"
    guided = True
    droppable = True

    def add_options(self, add):
        add("--smile", type=float)

    def read_options(self, args):
        return args.smile

    def prepare(self, request, scene):
        return None if request is None else torch.tensor([request])

    def draw(self, draw):
        """From a label that the dataset has: the mouth's width."""
        mouths = draw.clips.mouths[draw.starts]
        return (mouths[:, 2] - mouths[:, 0])[:, None]

    def build(self, config, ops):
        return nn.Sequential(ops.Linear(1, config.unet.widths[0], bias=False), nn.Unflatten(1, (-1, 1, 1)))

    def added_map(self, features):
        return features


@pytest.fixture
def open_table(monkeypatch):
    """The one line of the table."""
    monkeypatch.setattr(table, "CONDITIONS", (*table.CONDITIONS, SmileCondition()))


@pytest.fixture
def emo(open_table):
    torch.manual_seed(0)
    return awake(EMO(CONFIG)).eval()


def video(emo, request, guidance=None):
    scene = Scene(
        config=CONFIG,
        image=torch.zeros(64, 64, 3, dtype=torch.uint8).numpy(),
        face=None,
        crop=Crop(0, 0, 64, 64),
        features=Recorded(recorded(4)),
        fps=CONFIG.fps,
        encode=lambda picture: torch.ones(CONFIG.vae.channels, CONFIG.latent_size, CONFIG.latent_size),
    )
    settings = Settings(steps=2, guidance=guidance or Guidance())
    return torch.cat(list(generate(Denoiser(emo), prepare_subject(scene, request.conditions), settings)))


def request_of(*options):
    parser = argparse.ArgumentParser()
    add_parser(parser.add_subparsers())
    base = ["animate", "--portrait", "p.png", "--audio", "a.wav", "--out", "o.mp4"]
    return read_request(parser.parse_args([*base, *options]), EMO_MINI)


def test_it_reaches_the_video_from_the_command_line(emo):
    plain, smiling = (video(emo, request_of(*options)) for options in ((), ("--smile", "0.8")))
    assert not torch.equal(plain, smiling)


def test_it_has_a_guidance_scale_of_its_own(emo):
    request = request_of("--smile", "0.8", "--smile-scale", "3")
    assert request.scales["smile"] == 3
    guidance = Guidance.for_model(CONFIG, request.scales)
    assert [guider.condition for guider in guidance.guiders] == ["audio", "smile"]
    only_smile = Guidance.of(smile=3.0)
    assert only_smile.passes == 2
    assert not torch.equal(video(emo, request, only_smile), video(emo, request))


def test_it_trains_from_a_batch_and_is_dropped(emo, dataset):
    stage = STAGES["2"].with_options(
        {"conditions": [*STAGES["2"].conditions, "smile"], "trains": ["smile_encoder"], "drop": {"smile": 0.5}}
    )
    clip = next(read_clips(dataset, TRAIN))
    batches = [draw_sample(Sampler(CONFIG, stage), clip, number) for number in range(40)]
    keep = torch.cat([batch.keep["smile"] for batch in batches])
    assert 0.25 < keep.mean() < 0.75
    chosen = trainable_parameters(emo, stage)
    assert {name.partition(".")[0] for name in chosen} == {"smile_encoder"}
    freeze_all_but(emo, chosen)
    for dropped in (False, True):
        batch = replace(next(b for b in batches if bool(b.keep["smile"] == 0) == dropped), motion_noise=None)
        clean, conditions = inputs(batch, CONFIG, None)
        emo.zero_grad()
        Objective(Denoiser(emo), 5.0)(batch, clean, conditions).mean().backward()
        (gradient,) = (p.grad for p in chosen.values())
        assert bool(gradient.any()) != dropped
