"""Fixtures to run nodes one by one or as a graph, on the fake host or, with EMO_REAL_HOST, on a real one."""

import dataclasses
import importlib
import sys
from types import SimpleNamespace

import pytest
import torch

from tests.conftest import CONFIG, tone
from tests.pack import NAME, load_pack, node_classes


class Graph:
    """Runs a prompt as the host's executor does: inputs first, expansions to their end, every output once."""

    def __init__(self, prompt):
        self.prompt = dict(prompt)
        self.done = {}
        self.ran = []

    def get_node(self, key):
        return self.prompt[key]

    def all_node_ids(self):
        return set(self.prompt)

    def value(self, link):
        key, slot = link
        if key not in self.done:
            self.done[key] = self.run(key)
        result = self.done[key][slot]
        return self.value(result) if isinstance(result, list) else result

    def run(self, key):
        node = self.prompt[key]
        inputs = {name: self.value(item) if isinstance(item, list) else item for name, item in node["inputs"].items()}
        return self.execute(key, inputs)

    def execute(self, key, inputs):
        """Run one node with these values, and return its outputs."""
        kind = node_classes()[self.prompt[key]["class_type"]]
        names = module("comfy_api.latest").io.Hidden
        hidden = {names.unique_id: key, names.dynprompt: self}
        # Newer hosts read them from `hidden_inputs`.
        clone = kind.PREPARE_CLASS_CLONE({**hidden, "hidden_inputs": hidden})
        self.ran.append((self.prompt[key]["class_type"], key))
        output = clone.execute(**inputs)
        self.prompt |= output.expand or {}
        return output.args


def module(name):
    """A module of the host, or (with a leading dot) of the pack as the host loaded it."""
    load_pack()
    return importlib.import_module(f"{NAME}{name}" if name.startswith(".") else name)


@pytest.fixture(scope="session")
def nodes():
    """The node classes by id."""
    return SimpleNamespace(**node_classes())


@pytest.fixture
def host_input(tmp_path, monkeypatch):
    """The host's input folder, for a test."""
    load_pack()
    monkeypatch.setattr(importlib.import_module("folder_paths"), "get_input_directory", lambda: str(tmp_path))
    return tmp_path


@pytest.fixture(scope="session")
def loaded(checkpoint):
    """The tiny model, loaded by the host."""
    return module(".nodes.emo.model").load_model(checkpoint)


def without_clips(model):
    """The same model before it has made any clip."""
    return dataclasses.replace(model, clips=module(".nodes.emo.clip_store").ClipStore(model.clips.identity))


@pytest.fixture
def model(loaded):
    """The tiny model for one test."""
    return without_clips(loaded)


@pytest.fixture(autouse=True)
def unthrottled_progress(monkeypatch):
    """Newer hosts leave out progress updates that follow each other too fast."""
    for name in ("PROGRESS_THROTTLE_MIN_INTERVAL", "PROGRESS_THROTTLE_MIN_PERCENT"):
        monkeypatch.setattr(module("comfy.utils"), name, 0, raising=False)


@pytest.fixture(autouse=True)
def no_leftovers():
    """Resets the host's interrupt and progress hook after each test."""
    yield
    module("comfy.model_management").interrupt_current_processing(False)
    module("comfy.utils").set_progress_bar_global_hook(None)


@pytest.fixture
def no_detector(monkeypatch):
    """A host without MediaPipe, and so without OpenCV."""
    monkeypatch.setitem(sys.modules, "cv2", None)
    monkeypatch.setattr(module(".emo_core.face.detectors").importlib.util, "find_spec", lambda name: None)


@pytest.fixture
def free_memory(monkeypatch):
    """Sets the free bytes that psutil reports; None: psutil is not installed."""

    def set_free(number):
        fake = None if number is None else SimpleNamespace(virtual_memory=lambda: SimpleNamespace(available=number))
        monkeypatch.setitem(sys.modules, "psutil", fake)

    return set_free


def audio(seconds=1.23, channels=1, rate=16000):
    """AUDIO as Load Audio gives it."""
    return {"waveform": torch.tensor(tone(seconds, rate)).repeat(1, channels, 1), "sample_rate": rate}


@pytest.fixture(scope="session")
def emo_audio(nodes, loaded):
    """Audio features of the tone: 31 frames, 8 clips."""
    return nodes.LoadAudioWav2Vec.execute(loaded, 0.0, 0.0, 0.0, 0.0, audio=audio())[0]


@pytest.fixture(scope="session")
def inputs(loaded, emo_audio):
    """The inputs that sampler and chainer share."""
    latent = torch.randn(1, CONFIG.vae.channels, *(CONFIG.latent_size,) * 2, generator=torch.Generator().manual_seed(1))
    return {
        "model": loaded,
        "reference": {"samples": latent},
        "emo_audio": emo_audio,
        "seed": 5,
        "steps": 2,
        "scheduler": "ddim",
        "reference_scale": 0.0,
        "audio_scale": 0.0,
    }


@pytest.fixture
def scene(inputs, model):
    """The inputs that sampler and chainer share, for one test."""
    return {**inputs, "model": model}
