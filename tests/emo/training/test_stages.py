"""What each stage trains, and how options reach it."""

from dataclasses import replace

import pytest
import torch

from emo_core.dataset.shards import TRAIN, read_clips
from emo_core.emo.models.emo import EMO
from emo_core.emo.sampling.denoiser import Denoiser
from emo_core.emo.training.batch import collate
from emo_core.emo.training.batches import draw_sample
from emo_core.emo.training.cli import stage_config
from emo_core.emo.training.objective import Objective, inputs
from emo_core.emo.training.samples import Sampler
from emo_core.emo.training.setup import frozen_parts
from emo_core.emo.training.stages import STAGES, read_options
from emo_core.emo.training.trainable import freeze_all_but, part_of, parts_of, trainable_parameters
from emo_core.emo.weights.checkpoint import load_checkpoint
from emo_core.errors import InputError
from tests.conftest import CONFIG, ROOT, awake

EXPECTED = {
    "1": {"reference_net", "backbone", "face_locator"},
    "2": {"audio", "temporal"},
    "3": {"temporal", "speed"},
    "few": {"backbone", "audio", "temporal", "speed"},
}
"""Parts that train; those of stage emotion, which needs labels, are tested in test_emotion_stage.py."""
EVERYTHING = STAGES["2"].with_options({"trains": ["reference_net", "backbone", "face_locator", "audio", "temporal"]})


def gradients(stage, dataset, checkpoint, config=CONFIG) -> tuple[EMO, set[str]]:
    """One backward pass; names of the parameters that a gradient reached."""
    stage = stage.with_options({"batch": 2, "start": 0.0, "drop": {"audio": 0.0, "reference": 0.0}})
    emo = awake(EMO(config))
    freeze_all_but(emo, trainable_parameters(emo, stage))
    clips = list(read_clips(dataset, TRAIN))[:2]
    sampler, number = Sampler(CONFIG, stage), 0
    samples = []
    while len(samples) < 2:
        sample, number = draw_sample(sampler, clips[len(samples)], number), number + 1
        if sample.motion_known.all() or not stage.follow:
            samples.append(sample)
    batch = collate(samples)
    clean, conditions = inputs(batch, CONFIG, frozen_parts(load_checkpoint(checkpoint), None))
    Objective(Denoiser(emo), 5.0)(batch, clean, conditions).mean().backward()
    return emo, {name for name, p in emo.named_parameters() if p.grad is not None and bool(p.grad.any())}


@pytest.mark.parametrize("name", EXPECTED)
def test_gradients_reach_exactly_the_stages_parameters(name, dataset, checkpoint):
    emo, reached = gradients(STAGES[name], dataset, checkpoint)
    assert reached == set(trainable_parameters(emo, STAGES[name]))
    assert {part_of(key) for key in reached} == EXPECTED[name]


def test_training_everything_reaches_the_end_of_the_reference_net(dataset, checkpoint):
    emo, reached = gradients(EVERYTHING, dataset, checkpoint)
    assert reached == set(trainable_parameters(emo, EVERYTHING))
    assert {name for name, _ in emo.named_parameters()} - reached == {
        name for name, _ in emo.named_parameters() if part_of(name) == "speed"
    }


def test_parts_cover_the_network():
    emo = EMO(CONFIG)
    assert {part_of(name) for name, _ in emo.named_parameters()} == set(parts_of(emo))


def test_hallos_audio_layers_are_audio():
    assert part_of("backbone.down.0.sites.0.regions.transformer_blocks.0.heads.0.to_q.weight") == "audio"


def test_the_papers_numbers():
    assert [STAGES[name].batch for name in "123"] == [48, 4, 4]
    assert {stage.learning_rate for stage in STAGES.values()} == {1e-5}
    assert "audio" not in STAGES["3"].trains and "audio" in STAGES["3"].conditions


def test_options_of_a_file(tmp_path):
    file = tmp_path / "config.yaml"
    file.write_text("batch: 2\n'3': {learning_rate_factors: {speed: 20}}\n2:\n  batch: 3\n  trains: [audio]\n")
    options = read_options(file)
    assert STAGES["1"].with_options(options["1"]).batch == 2
    assert STAGES["2"].with_options(options["2"]).batch == 3
    assert STAGES["2"].with_options(options["2"]).trains == ("audio",)
    assert STAGES["3"].with_options(options["3"]).learning_rate_factors == {"speed": 20}


@pytest.mark.parametrize("path", sorted((ROOT / "configs").glob("*.yaml")), ids=lambda path: path.name)
def test_shipped_configs_are_valid(path):
    if path.stem.startswith("accelerate"):
        pytest.skip("read by accelerate")
    for stage, options in read_options(path).items():
        STAGES[stage].with_options(options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bach": 2}, "unknown bach; there are stage"),
        ({"batch": "two"}, "batch is 'two'; expected int"),
        ({"batch": 0}, "batch=0; expected at least 1"),
        ({"validation_steps": 500}, "validation_steps=500; expected 0 .. 200"),
        ({"precision": "fp8"}, "precision is 'fp8'; expected 'auto' or 'no'"),
        ({"drop": {"audio": 1.5}}, "drop of audio=1.5; expected a share"),
        ({"drop": 0.1}, r"drop is 0.1; expected a mapping"),
        ({"trains": []}, "trains is empty; name the parts"),
        ({"trains": ["speed"]}, "speed cannot train in a stage that does not use it"),
        ({"learning_rate": "fast"}, "learning_rate is 'fast'; expected a number"),
    ],
)
def test_wrong_options_say_what_is_right(options, message):
    with pytest.raises(InputError, match=message):
        STAGES["2"].with_options(options)


def test_a_part_that_the_network_does_not_have_is_named():
    with pytest.raises(InputError, match=r"trains=\['legs'\]; expected some of reference_net"):
        trainable_parameters(EMO(CONFIG), STAGES["2"].with_options({"trains": ["legs"]}))


def test_drops_are_merged_with_the_stages_own():
    assert STAGES["3"].with_options({"drop": {"audio": 0.3}}).drop == {"reference": 0.05, "audio": 0.3, "speed": 0.2}


def test_a_config_that_is_no_mapping(tmp_path):
    for content in ("- a\n- b\n", "2: fast\n", "{", "\x00"):
        file = tmp_path / "config.yaml"
        file.write_text(content)
        with pytest.raises(InputError, match="config"):
            read_options(file)


def test_the_frozen_parts_stay_as_they_are():
    emo = EMO(CONFIG)
    freeze_all_but(emo, trainable_parameters(emo, STAGES["3"]))
    assert not any(p.requires_grad for n, p in emo.named_parameters() if "audio" in n or "reference_net" in n)
    assert torch.is_grad_enabled()


@pytest.mark.parametrize("stage", [STAGES["1"], STAGES["2"], EVERYTHING], ids=["1", "2", "all"])
def test_what_of_the_reference_net_nothing_reads_does_not_train(stage, dataset, checkpoint):
    """Where the finest level has neither tokens nor motion maps, its way up leads nowhere, and other processes would wait for it."""
    config = replace(
        CONFIG,
        temporal=replace(CONFIG.temporal, everywhere=False),
        unet=replace(CONFIG.unet, attention=(False, True)),
    )
    emo, reached = gradients(stage, dataset, checkpoint, config)
    assert reached == set(trainable_parameters(emo, stage))
    assert not [key for key in reached if key.startswith("reference_net.up.1.")]


def test_a_bare_no_is_a_precision():
    """YAML reads it as false."""
    assert stage_config("2", None, ["precision=no"]).precision == "no"
