"""Stage emotion: a checkpoint gets emotion layers, learns from labelled clips, and shows one emotion or the other."""

from dataclasses import replace

import pytest
import torch

from emo_core.__main__ import main
from emo_core.dataset.emotion_labels import Row, label_emotions
from emo_core.dataset.shards import TRAIN, Dataset, read_clips
from emo_core.emo.conditions.drawing import Chance
from emo_core.emo.config import HALLO, EmotionConfig
from emo_core.emo.models.emo import EMO
from emo_core.emo.sampling.denoiser import Denoiser
from emo_core.emo.sampling.generate import Settings, generate
from emo_core.emo.training.batch import collate
from emo_core.emo.training.batches import draw_sample
from emo_core.emo.training.export import export, write_run
from emo_core.emo.training.objective import Objective, inputs
from emo_core.emo.training.on_device import DeviceBatches, load_on_device
from emo_core.emo.training.references import lenders
from emo_core.emo.training.samples import Sampler
from emo_core.emo.training.setup import frozen_parts, setup_stage, with_emotions
from emo_core.emo.training.stages import STAGES, options_of
from emo_core.emo.training.train import train
from emo_core.emo.training.trainable import freeze_all_but, part_of, trainable_parameters
from emo_core.emo.training.validate import subject_of
from emo_core.emo.weights.checkpoint import load_checkpoint
from emo_core.emotion import EXPRESSIVE, EmotionCurve
from emo_core.errors import InputError
from emo_core.training.schedule import Limits
from tests.conftest import CONFIG, awake
from tests.felt import FELT, PLAIN, felt_dataset, save_plain
from tests.synthetic import FPS, cached

HAPPY, SAD = (EXPRESSIVE.index(name) for name in ("happy", "sad"))
STAGE = STAGES["emotion"].with_options({"batch": 4, "workers": 0, "validate_every": 0, "warm_up": 5, "ema": 0.9})
PICTURES = STAGE.with_options(
    {"trains": ["backbone", "emotion"], "conditions": ["reference", "face_region", "emotion"], "follow": False, "frames": 2,
     "learning_rate": 3e-3, "min_snr": 0.0, "high_noise": 1.0, "save_every": 1000}
)  # fmt: skip
"""Single frames: what the layers can learn, in seconds."""


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    torch.manual_seed(0)
    return save_plain(tmp_path_factory.mktemp("weights") / "plain.safetensors")


@pytest.fixture(scope="module")
def data(tmp_path_factory, plain):
    folder = tmp_path_factory.mktemp("felt")
    return cached(felt_dataset(folder / "data"), plain, folder / "cached")


def learn(data, init, folder, stage, steps):
    """The checkpoint that a run exports."""
    write_run(folder, init, None, options_of(stage), data.folder)
    train(setup_stage(data, init, folder, stage), stage, Limits(steps=steps))
    out = folder / "model.safetensors"
    export(folder, out, dtype=torch.float32)
    return load_checkpoint(out)


def video(model, clip, emotion):
    """(F, C, h, w) latents."""
    denoiser, values = Denoiser(model.emo), {}
    subject = subject_of(denoiser, frozen_parts(model, None), clip, clip.sound())
    if emotion is not None:
        values = {"emotion": torch.from_numpy(EmotionCurve.constant(emotion).at_frames(subject.frames, FPS))}
    subject = replace(subject, values={**subject.values, **values})
    return torch.cat(list(generate(denoiser, subject, Settings(steps=4))))


@pytest.mark.slow
def test_it_shows_the_emotion_that_it_is_told(data, plain, tmp_path):
    """The difference between happy and sad videos is that of the clips; none at all if every sample dropped the emotion."""
    clips = list(read_clips(data, TRAIN))
    latents = torch.cat([torch.from_numpy(clip.latents).float() for clip in clips])
    shown = torch.cat([torch.from_numpy(clip.labels.others["emotions"]) for clip in clips])
    truth = latents[shown[:, HAPPY] == 1].mean(0) - latents[shown[:, SAD] == 1].mean(0)

    model = learn(data, plain, tmp_path / "told", PICTURES, 60)
    assert model.config.emotion == EmotionConfig(layers=True, trained=("happy", "sad"))
    happy, sad = (video(model, clips[0], name) for name in ("happy", "sad"))
    difference = (happy - sad).mean(0)
    assert torch.corrcoef(torch.stack([difference.flatten(), truth.flatten()]))[0, 1] > 0.8
    assert 0.5 < (difference * truth).sum() / truth.square().sum() < 2.0

    untold = learn(data, plain, tmp_path / "untold", PICTURES.with_options({"drop": {"emotion": 1.0}}), 3)
    happy, sad, none = (video(untold, clips[0], name) for name in ("happy", "sad", None))
    assert torch.equal(happy, sad) and torch.equal(happy, none)


def batch_of(data, stage, count=4, config=FELT):
    clips = list(read_clips(data, TRAIN))
    sampler = Sampler(config, stage)
    return collate([draw_sample(sampler, clips[number % len(clips)], number) for number in range(count)])


def test_a_batch_has_the_labels_of_its_frames(data):
    batch = batch_of(data, STAGE, 40)
    emotion = batch.conditions["emotion"]
    assert emotion.shape == (40, CONFIG.temporal.frames, len(EXPRESSIVE))
    assert torch.equal(emotion[..., [HAPPY, SAD]].sum(-1), torch.ones(40, CONFIG.temporal.frames))
    assert emotion[:, :, HAPPY].min(1).values.lt(emotion[:, :, HAPPY].max(1).values).any(), (
        "some change inside a sample"
    )
    half = batch_of(data, STAGE.with_options({"drop": {"emotion": 0.5}}), 40).keep["emotion"]
    assert 0.25 < half.mean() < 0.75
    swapped = replace(FELT, emotion=replace(FELT.emotion, names=("sad", "happy")))
    assert torch.equal(batch_of(data, STAGE, 40, swapped).conditions["emotion"], emotion[..., [SAD, HAPPY]])


def gradients(batch, stage, dataset, init):
    torch.manual_seed(0)
    emo = awake(EMO(replace(PLAIN, emotion=FELT.emotion)))
    freeze_all_but(emo, trainable_parameters(emo, stage))
    clean, conditions = inputs(batch, emo.config, frozen_parts(load_checkpoint(init), None))
    Objective(Denoiser(emo), 5.0)(batch, clean, conditions).mean().backward()
    return emo, {name for name, p in emo.named_parameters() if p.grad is not None and bool(p.grad.any())}


def test_gradients_reach_exactly_the_stages_parameters(data, plain):
    stage = STAGE.with_options({"drop": {"emotion": 0.0, "audio": 0.0, "reference": 0.0}})
    emo, reached = gradients(batch_of(data, stage), stage, data, plain)
    assert reached == set(trainable_parameters(emo, stage))
    assert {part_of(name) for name in reached} == {"temporal", "emotion"}


def test_clips_without_labels_train_without_emotion(tmp_path, plain):
    """Beside labelled ones in one batch; alone they teach the emotion layers nothing."""
    data = cached(felt_dataset(tmp_path / "data", clips=2, labelled=1), plain, tmp_path / "cached")
    stage = STAGE.with_options({"drop": {"emotion": 0.0}})
    batch = batch_of(data, stage)
    assert batch.conditions["emotion"].isnan().all(-1).all(-1).tolist() == [False, True, False, True]
    assert {part_of(name) for name in gradients(batch, stage, data, plain)[1]} == {"temporal", "emotion"}
    emotion = batch.conditions["emotion"][1:2].expand(4, -1, -1)
    unlabelled = replace(batch, conditions={**batch.conditions, "emotion": emotion})
    emo, reached = gradients(unlabelled, stage, data, plain)
    assert {part_of(name) for name in reached} == {"temporal"}
    assert all(bool(p.grad.isfinite().all()) for p in emo.parameters() if p.grad is not None)


@pytest.mark.slow
def test_the_layers_start_at_zero_and_keep_what_they_learned(data, plain, tmp_path):
    run = setup_stage(data, plain, tmp_path / "first", STAGE)
    before = load_checkpoint(plain).emo.state_dict()
    added = run.emo.state_dict().keys() - before.keys()
    assert added and all("emotion" in name for name in added)
    assert all(torch.equal(value, run.emo.state_dict()[name]) for name, value in before.items())
    assert not any(bool(v.any()) for n, v in run.emo.state_dict().items() if ".emotion." in n)
    first = learn(data, plain, tmp_path / "first", STAGE, 2)
    again = setup_stage(data, tmp_path / "first" / "model.safetensors", tmp_path / "again", STAGE)
    assert again.emo.config.emotion == first.config.emotion
    weights = first.emo.state_dict()
    assert all(torch.equal(value, weights[name]) for name, value in again.emo.state_dict().items())


@pytest.mark.slow
def test_a_few_step_model_keeps_its_emotions(data, plain, tmp_path):
    """The teacher sees the emotions and drops of its student's samples."""
    init = tmp_path / "emotional"
    learn(data, plain, init, STAGE, 2)
    stage = STAGES["few"].with_options(
        {"conditions": [*STAGES["few"].conditions, "emotion"], "trains": ["backbone", "emotion"], "batch": 2, "workers": 0,
         "drop": {"emotion": 0.5}}
    )  # fmt: skip
    model = learn(
        replace(data, speed_quantiles=(0.0, 1.0, 1.0)), init / "model.safetensors", tmp_path / "few", stage, 2
    )
    assert model.config.emotion.trained == ("happy", "sad") and model.config.diffusion.audio_scale == 1.0


def test_references_show_another_emotion_of_the_person(tmp_path, plain):
    """Of the clips of one person only; without persons, or without another emotion, the clip itself lends its reference."""
    emotions = ("happy", "sad", "happy", "neutral", "happy", None)
    people = ("ann", "ann", "bob", "bob", "cleo", "cleo")
    rows = [
        Row(i, f"clip{i}-000.mp4", EmotionCurve.constant(name), people[i]) for i, name in enumerate(emotions) if name
    ]
    data = label_emotions(felt_dataset(tmp_path / "data", clips=6, labelled=0), rows).dataset
    clips = list(read_clips(data, TRAIN))
    assert lenders(clips).tolist() == [[0, 0, 1, 1], [1, 1, 0, 0], [2, 2, 3, 3], [3, 3, 2, 2], [4] * 4, [5] * 4]
    nobody = [replace(clip, about=clip.about | {"person": ""}) for clip in clips]
    assert lenders(nobody).tolist() == [[i] for i in range(6)]
    many = list(clips[:1] * 4) + clips[1:2] * 4
    assert {tuple(row[2:]) for row in lenders(many).tolist()[:4]} == {(4, 6), (5, 7), (6, 4), (7, 5)}

    cached(data, plain, tmp_path / "cached")
    held = load_on_device(Dataset.open(tmp_path / "cached"), torch.device("cpu"))
    stage = STAGE.with_options({"batch": 100, "on_device": True})
    batch = DeviceBatches(held, Sampler(FELT, stage)).draw(Chance(torch.Generator().manual_seed(0)), 0)
    assert 0.2 < batch.other_reference.float().mean() < 0.5, "half of those of four clips in six"


def test_emotions_of_several_datasets_add_up(data):
    known = replace(PLAIN, emotion=EmotionConfig(layers=True, trained=("fear",)))
    assert with_emotions(known, data, STAGE).emotion.trained == ("happy", "sad", "fear")
    assert with_emotions(known, data, STAGE, fresh=True).emotion.trained == ("happy", "sad")
    frozen = STAGE.with_options({"trains": ["temporal"]})
    assert with_emotions(known, data, frozen).emotion.trained == ("fear",)


@pytest.mark.parametrize(
    ("config", "changes", "trains", "message"),
    [
        (PLAIN, {"emotions": ()}, ["emotion"], "no clip of .* is labelled with an emotion; label it: .*emo_core label"),
        (PLAIN, {}, ["temporal"], "tiny has no emotion layers, and this stage does not train them; begin with stage emotion"),
        (replace(FELT, emotion=EmotionConfig(layers=True, names=("happy",))), {}, ["emotion"],
         "is labelled with sad; the emotion layers of tiny read happy"),
        (HALLO, {}, ["emotion"], "init: .*which has none; choose a checkpoint of the paper's blocks"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(data, config, changes, trains, message):
    with pytest.raises(InputError, match=message):
        with_emotions(config, replace(data, **changes), STAGE.with_options({"trains": trains}))


def test_a_stage_that_cannot_train_emotions():
    with pytest.raises(InputError, match="emotion cannot train in a stage that does not use it"):
        STAGES["2"].with_options({"trains": ["emotion"]})


def test_the_command_line_trains_it(tmp_path, plain, capsys):
    data = felt_dataset(tmp_path / "data", labelled=0)
    base = ["train", "--stage", "emotion", "--data", str(data.folder), "--init", str(plain), "--max-steps", "1",
            "--out", str(tmp_path / "run"), "--set=batch=2", "--set=workers=0", "--set=validate_every=0"]  # fmt: skip
    assert main(base) == 2
    assert "is labelled with an emotion; label it" in capsys.readouterr().err
    table = tmp_path / "emotions.csv"
    table.write_text("file,emotion\nclip0-000.mp4,happy\nclip1-000.mp4,neutral\n")
    assert main(["label", str(data.folder), "--emotions", str(table)]) == 0
    assert Dataset.open(data.folder).emotions == ("happy",)
    assert main(base) == 0
    assert "stage emotion, 1 steps" in capsys.readouterr().out
