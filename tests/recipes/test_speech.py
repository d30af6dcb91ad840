"""The sounds of emo-mini's recipe, and the audio encoder that is trained on them."""

import shutil
import sys
from argparse import Namespace
from dataclasses import replace

import numpy as np
import pytest
import torch

from emo_core.dataset.shards import HELD_OUT, TRAIN, read_clips
from emo_core.training import checkpoints, loop
from emo_core.training.log import read_log
from emo_core.training.loop import Settings
from emo_core.training.schedule import Limits
from recipes.emo_mini import audio, gather, train, voices
from recipes.emo_mini.espeak import Utterance
from tests.conftest import tone
from tests.synthetic import write_dataset


class Reader:
    """In place of espeak-ng: one tone and three sounds for every sentence."""

    def synthesise(self, text, voice, **options):
        return Utterance(tone(2.0), ((0.1, "b"), (0.5, "a"), (1.2, "m")))


@pytest.fixture
def data(tmp_path):
    return write_dataset(tmp_path / "data", clips=2, held_out=1, files=("bbaf2n.mp4", "lgaz8p.mp4", "swab8p.mp4"))


@pytest.fixture
def speech(monkeypatch):
    monkeypatch.setattr(voices, "Espeak", Reader)
    return voices.Speech()


def filled(speech, data):
    for split in (TRAIN, HELD_OUT):
        for clip in read_clips(data, split):
            speech.add_clip(clip, data.fps, held_out=split == HELD_OUT, trained=True)
    return speech


def halved(*arguments, **named):
    """A writer that is killed: half of the file, then nothing."""
    name = next(argument for argument in arguments if hasattr(argument, "write_bytes"))
    name.write_bytes(b"half")
    raise KeyboardInterrupt


def test_files_are_written_whole_or_not_at_all(speech, data, tmp_path, monkeypatch):
    filled(speech, data).save(tmp_path / "speech.npz")
    assert len(np.load(tmp_path / "speech.npz")["kinds"]) == 15
    out = tmp_path / "out"
    out.mkdir()
    monkeypatch.setattr("numpy.savez", halved)
    for module in (audio, train):
        monkeypatch.setattr(module, "save_file", halved)
    arguments = ["audio", "--speech", str(tmp_path / "speech.npz"), "--out", str(out / "encoder.safetensors")]
    monkeypatch.setattr(sys, "argv", [*arguments, "--minutes", "0.0001", "--device", "cpu"])
    filmed = gather.film(data, TRAIN, torch.device("cpu"))
    options = Namespace(out=out, data=data.folder, device=torch.device("cpu"), limit=None, hours=0.0001, precision="no")
    for write in (
        lambda: speech.save(out / "speech.npz"),
        audio.main,
        lambda: train.autoencoder(options, filmed, gather.variants(filmed, 1), None),
    ):
        with pytest.raises(KeyboardInterrupt):
            write()
        assert not [path for path in out.iterdir() if path.is_file()]


def test_lips_of_other_languages_are_not_of_held_out_people(speech, data):
    """They are the means of the training speakers' lips at the same sounds."""
    clips = [*read_clips(data, TRAIN), *read_clips(data, HELD_OUT)]
    clips[2] = replace(clips[2], labels=replace(clips[2].labels, opening=1 - clips[2].labels.opening))
    lips = []
    for shown in (clips[:2], clips):
        collected = voices.Speech()
        for number, clip in enumerate(shown):
            collected.add_clip(clip, data.fps, held_out=number == 2, trained=True)
        collected.add_language("ba ma", "de", held_out=False, trained=False)
        lips.append(collected.rows[-1]["lips"])
    assert lips[0].std() > 0 and np.array_equal(*lips)


@pytest.mark.slow
def test_the_encoder_learns_and_a_stopped_run_continues(speech, data, tmp_path, monkeypatch):
    filled(speech, data).save(tmp_path / "speech.npz")
    pieces = audio.Pieces.open(tmp_path / "speech.npz")
    monkeypatch.setattr(audio, "SCHEDULE", replace(audio.SCHEDULE, warm_up=1))
    settings = Settings(batch=2, log_every=1, save_every=4, validate_every=4, find_unused=True)

    def run(folder, resume=False):
        torch.manual_seed(0)
        net = audio.SpeechNet(audio.load_audio_encoder(None), pieces.mel.shape[-1])
        loop.train(audio.SpeechTask(net, pieces, 2), settings, Limits(steps=8), folder, resume=resume)
        return net

    for folder in ("unbroken", "broken"):
        net = run(tmp_path / folder)
    shutil.rmtree(checkpoints.checkpoints(tmp_path / "broken")[-1])
    resumed = run(tmp_path / "broken", resume=True)
    assert all(torch.equal(value, resumed.state_dict()[name]) for name, value in net.state_dict().items())
    lines = read_log(tmp_path / "broken")
    losses = [line["loss"] for line in lines if "loss" in line]
    assert sum(losses[-2:]) < sum(losses[:2])
    assert {"own_opening", "own_visemes"} <= {name for line in lines for name in line}
