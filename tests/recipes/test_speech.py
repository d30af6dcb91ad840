"""The sounds of emo-mini's recipe, and the encoder that learns from them."""

import sys
from argparse import Namespace
from dataclasses import replace

import numpy as np
import pytest
import torch

from emo_core.dataset.shards import HELD_OUT, TRAIN, read_clips
from recipes.emo_mini import audio, gather, train, voices
from recipes.emo_mini.espeak import Spoken
from tests.conftest import tone
from tests.synthetic import write_dataset


class Reader:
    """In place of espeak-ng: says everything with one tone and three sounds."""

    def say(self, text, voice, **how):
        return Spoken(tone(2.0), ((0.1, "b"), (0.5, "a"), (1.2, "m")))


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


def test_a_file_that_is_there_is_whole(speech, data, tmp_path, monkeypatch):
    filled(speech, data).save(tmp_path / "speech.npz")
    assert len(np.load(tmp_path / "speech.npz")["kinds"]) == 15
    out = tmp_path / "out"
    out.mkdir()
    monkeypatch.setattr("numpy.savez", halved)
    for module in (audio, train):
        monkeypatch.setattr(module, "save_file", halved)
    arguments = ["audio", "--speech", str(tmp_path / "speech.npz"), "--out", str(out / "encoder.safetensors")]
    monkeypatch.setattr(sys, "argv", [*arguments, "--minutes", "0", "--device", "cpu"])
    filmed = gather.film(data, TRAIN, torch.device("cpu"))
    options = Namespace(out=out, data=data.folder, device=torch.device("cpu"), limit=None, hours=0.0001, precision="no")
    for write in (
        lambda: speech.save(out / "speech.npz"),
        audio.main,
        lambda: train.autoencoder(options, filmed, gather.variants(filmed, 1), None),
    ):
        with pytest.raises(KeyboardInterrupt):
            write()
        assert not list(out.iterdir())


def test_other_languages_learn_no_lips_of_people_held_out(speech, data):
    """Theirs are the means of what GRID's speakers do at the same sounds."""
    clips = [*read_clips(data, TRAIN), *read_clips(data, HELD_OUT)]
    clips[2] = replace(clips[2], labels=replace(clips[2].labels, opening=1 - clips[2].labels.opening))
    found = []
    for shown in (clips[:2], clips):
        collected = voices.Speech()
        for number, clip in enumerate(shown):
            collected.add_clip(clip, data.fps, held_out=number == 2, trained=True)
        collected.add_language("ba ma", "de", held_out=False, trained=False)
        found.append(collected.rows[-1]["lips"])
    assert found[0].std() > 0 and np.array_equal(*found)
