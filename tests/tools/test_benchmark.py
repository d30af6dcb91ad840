"""The benchmark of sampling runs EMO and Hallo networks."""

from dataclasses import replace

import pytest
import torch

from emo_core.emo.config import HALLO, TINY
from tools.benchmark import measure

SMALL_HALLO = replace(
    TINY,
    name="hallo",
    locator_channels=HALLO.locator_channels,
    block=HALLO.block,
    identity=replace(HALLO.identity, embedding=16, tokens=2, width=8),
    temporal=replace(TINY.temporal, everywhere=False, first_clip="reference"),
    speed=HALLO.speed,
    diffusion=HALLO.diffusion,
)


@pytest.mark.parametrize("config", [TINY, SMALL_HALLO], ids=lambda config: config.name)
def test_a_measurement_names_its_preset_and_takes_time(config):
    row = measure(config, torch.device("cpu"), torch.float32, repeats=1)
    assert row["preset"] == config.name and float(row["s/step"]) > 0
