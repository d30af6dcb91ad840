"""Guide frames in the graph: they reach the network and the decoder, and those that do not fit are refused."""

import numpy as np
import pytest
import torch

from tests.conftest import CONFIG
from tests.guided import GUIDED, write_guided
from tests.nodes.conftest import module
from tests.nodes.test_chain import chain, sample
from tests.nodes.test_nodes import problem

FRAMES, SIDE = 31, CONFIG.image_size


@pytest.fixture(scope="module")
def guided(tmp_path_factory):
    """A model that copies its guide, with a decoder that reads it."""
    return module(".nodes.emo.model").load_model(
        write_guided(tmp_path_factory.mktemp("weights") / "guided.safetensors")
    )


@pytest.fixture(scope="module")
def drawn():
    return torch.rand(FRAMES, SIDE, SIDE, 3, generator=torch.Generator().manual_seed(2))


@pytest.fixture(scope="module")
def guide(nodes, guided, drawn):
    return nodes.EMOGuide.execute(drawn, guided.vae)[0]


def test_a_network_that_changes_nothing_gives_the_guide(nodes, inputs, guided, guide, drawn):
    latent, _ = sample(nodes, {**inputs, "model": guided, "emo_guide": guide}, clips=8, clip_index=0)
    assert torch.allclose(latent["samples"], guided.vae.encode(drawn), atol=0.02)


def test_the_video_is_decoded_beside_the_guide(nodes, inputs, guided, guide):
    scene = {**inputs, "model": guided, "emo_guide": guide}
    _, frames = chain(nodes, scene)
    latent, _ = sample(nodes, scene, clips=8, clip_index=0)
    whole = guide.of_video(GUIDED.vae.scaling_factor).of_frames(slice(None))
    assert torch.allclose(frames, guided.vae.decode_beside(latent["samples"], whole), atol=1e-5)
    assert not torch.allclose(frames, guided.vae.decode(latent["samples"]), atol=1e-2)


def test_another_guide_makes_other_clips(nodes, inputs, guided, guide, drawn):
    other = nodes.EMOGuide.execute(1 - drawn, guided.vae)[0]
    made = [
        sample(nodes, {**inputs, "model": guided, "emo_guide": each}, clips=1, clip_index=0)[0]["samples"]
        for each in (guide, other)
    ]
    assert not torch.allclose(*made, atol=0.1)


def test_guides_that_do_not_fit_are_refused(nodes, inputs, guided, guide, drawn, loaded):
    scene = {**inputs, "clip_index": 0, "clips": 1}
    short = nodes.EMOGuide.execute(drawn[:30], guided.vae)[0]
    large = nodes.EMOGuide.execute(torch.zeros(FRAMES, 2 * SIDE, 2 * SIDE, 3), guided.vae)[0]
    cases = (
        (guided, None, "wire Guide Frames"),
        (loaded, guide, "without guide frames"),
        (guided, short, "got 30 frames"),
        (guided, large, f"needs {SIDE} x {SIDE}"),
    )
    for model, given, message in cases:
        wrong = {**scene, "model": model, "emo_guide": given}
        problem(lambda wrong=wrong: nodes.EMOSampler.execute(**wrong), message)
    assert guide.frames.dtype == np.uint8
