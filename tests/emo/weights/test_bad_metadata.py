"""A checkpoint's metadata is input: whatever it says, loading ends in a model or in one clear line."""

import dataclasses
import json
import subprocess
import sys

import pytest
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from transformers import Wav2Vec2Config

from emo_core.audio.config import EncoderShape
from emo_core.audio.encoder import AudioEncoder, with_encoder
from emo_core.emo.config import EMO_MINI, EMO_MINI_FEW
from emo_core.emo.weights.checkpoint import load_checkpoint
from emo_core.errors import CheckpointError
from tests.conftest import CONFIG, ROOT, TINY_ENCODER

DELETED = object()
BAD_FIELDS = [
    # (path in the config, value, words of the message)
    ("vae.widths", [0, 0], "vae.widths: got 0; expected 1 .. 8192"),
    ("vae.widths", [-16, -16], "vae.widths: got -16"),
    ("vae.widths", [10**9, 10**9], "vae.widths: got 1000000000"),
    ("vae.widths", [16, 32], "expected equal ones"),
    ("vae.widths", [], "0 items|items"),
    ("vae.widths", 16, "expected a list"),
    ("vae.widths", "16", "expected a list"),
    ("vae.widths", [16.5, 16.5], "expected a whole number"),
    ("vae.widths", [16] * 100_000, "expected a list of up to 64 items"),
    ("vae.encoder_blocks", [10**8, 1], "vae.encoder_blocks: got 100000000"),
    ("vae.encoder_blocks", [1], "must name the same levels"),
    ("vae.decoder_blocks", [1, -1], "vae.decoder_blocks: got -1"),
    ("vae.latent_channels", 0, "vae.latent_channels: got 0"),
    ("vae.latent_channels", True, "expected a whole number"),
    ("vae.patch", 0, "vae.patch: got 0"),
    ("vae.patch", 10**12, "vae.patch: got 1000000000000"),
    ("vae.fold", 0, "vae.fold: got 0"),
    ("vae.kind", "huge", "expected one of 'tiny', 'kl'"),
    ("vae.kind", "kl", "cannot be built: num_channels .* must be divisible"),
    ("vae.kind", ["tiny"], "expected one of"),
    ("vae.scaling_factor", 0, "vae.scaling_factor: got 0.0"),
    ("vae.scaling_factor", float("nan"), "expected a finite number"),
    ("vae.scaling_factor", "1", "expected a number"),
    ("vae.hidden", 3, "unknown fields .*hidden.* in VAEConfig"),
    ("vae", [], "vae: got .*expected named fields"),
    ("vae", None, "expected named fields"),
    ("unet.widths", [32, 10**7], "unet.widths: got 10000000"),
    ("unet.widths", [33, 64], "must be a multiple"),
    ("unet.layers_per_block", 10**9, "unet.layers_per_block"),
    ("unet.layers_per_block", 0, "unet.layers_per_block"),
    ("unet.heads", 0, "unet.heads: got 0"),
    ("unet.groups", 0, "unet.groups: got 0"),
    ("unet.attention", [1, 0], "expected true or false"),
    ("audio.window", -1, "audio.window: got -1"),
    ("audio.tokens", 10**9, "audio.tokens"),
    ("audio.layers", 3, "its audio encoder has 2 layers of width 16, its model reads 3"),
    ("audio.encoder", {}, "expected a text"),
    ("temporal.max_positions", 10**9, "temporal.max_positions"),
    ("temporal.frames", 0, "temporal.frames: got 0"),
    ("temporal.anchor", 1.5, "anchor"),
    ("speed.centres", [], "one positive radius per centre"),
    ("speed.radii", [0.5, 0.5, float("inf")], "finite"),
    ("diffusion.steps", 0, "diffusion.steps: got 0"),
    ("diffusion.steps", 10**9, "diffusion.steps"),
    ("diffusion.train_timesteps", 10**9, "diffusion.train_timesteps"),
    ("diffusion.beta_end", 1.0, "diffusion.beta_end"),
    ("diffusion.prediction", "flow", "expected one of"),
    ("image_size", 10**6, "image_size: got 1000000"),
    ("image_size", 65, "expected a multiple"),
    ("image_size", "64", "expected a whole number"),
    ("locator_widths", [8] * 6, "locator_widths"),
    ("fps", 0, "fps: got 0"),
    ("fps", 10**400, "expected a finite number|fps"),
    ("name", DELETED, "fields .*name.* are missing"),
    ("name", 7, "name: got 7; expected a text"),
    ("name", "x" * 100_000, "expected a text of up to"),
]
BAD_ENCODERS = [
    ("hidden_size", 0, "hidden_size: got 0; expected 1 .. 8192"),
    ("hidden_size", -16, "hidden_size: got -16"),
    ("hidden_size", 10**9, "hidden_size: got 1000000000"),
    ("hidden_size", "16", "expected a whole number"),
    ("hidden_size", 17, "expected a multiple of num_attention_heads=2"),
    ("num_hidden_layers", 10**9, "num_hidden_layers"),
    ("num_hidden_layers", 0, "num_hidden_layers: got 0"),
    ("num_attention_heads", 0, "num_attention_heads: got 0"),
    ("num_attention_heads", 3, "expected a multiple of num_attention_heads=3"),
    ("intermediate_size", 10**12, "intermediate_size"),
    ("conv_dim", [8] * 6, "as many items each"),
    ("conv_dim", [], "items"),
    ("conv_dim", [10**9] * 7, "conv_dim: got 1000000000"),
    ("conv_dim", "8888888", "expected a list"),
    ("conv_stride", [5, 2, 2, 2, 2, 2, 1], "got a step of 160 samples"),
    ("conv_stride", [0] * 7, "conv_stride: got 0"),
    ("conv_kernel", [10**9] * 7, "conv_kernel: got 1000000000"),
    ("hidden_act", "os.system", "hidden_act: got 'os.system'; expected one of 'gelu'"),
    ("feat_extract_norm", "none", "feat_extract_norm"),
    ("layer_norm_eps", float("nan"), "layer_norm_eps"),
    ("num_conv_pos_embeddings", 10**9, "num_conv_pos_embeddings"),
    ("num_conv_pos_embedding_groups", 0, "num_conv_pos_embedding_groups: got 0"),
    ("num_conv_pos_embedding_groups", 3, "expected a multiple of num_conv_pos_embedding_groups=3"),
    ("mask_time_prob", 2, "mask_time_prob"),
]
BAD_TEXTS = [
    "",
    "nonsense",
    "[]",
    "null",
    "7",
    '"text"',
    "[" * 100_000,
    '{"name": "x"',
    '{"name": "x", "fps": ' + "9" * 5000 + "}",
]


@pytest.fixture
def rewritten(checkpoint, tmp_path):
    """A function that gives the tiny checkpoint with another config."""

    def rewrite(change):
        with safe_open(checkpoint, "pt") as file:
            metadata = file.metadata()
        metadata["config"] = change(json.loads(metadata["config"]))
        save_file(load_file(checkpoint), tmp_path / "bad.safetensors", metadata)
        return tmp_path / "bad.safetensors"

    return rewrite


def changed(path, value):
    def change(config):
        *parents, name = path.split(".")
        part = config
        for parent in parents:
            part = part[parent]
        part[name] = value
        if value is DELETED:
            del part[name]
        return json.dumps(config)

    return change


def with_encoder_field(name, value):
    def change(config):
        config["audio"]["encoder"] = json.dumps({**TINY_ENCODER, name: value})
        return json.dumps(config)

    return change


def refused(file, words):
    with pytest.raises(CheckpointError, match=words) as error:
        load_checkpoint(file)
    message = str(error.value)
    assert "\n" not in message and len(message) < 600


@pytest.mark.parametrize(("path", "value", "words"), BAD_FIELDS)
def test_impossible_fields(rewritten, path, value, words):
    refused(rewritten(changed(path, value)), words)


@pytest.mark.parametrize(("name", "value", "words"), BAD_ENCODERS)
def test_impossible_encoders(rewritten, name, value, words):
    refused(rewritten(with_encoder_field(name, value)), words)


@pytest.mark.parametrize("text", BAD_TEXTS)
def test_texts_that_are_no_config(rewritten, text):
    refused(rewritten(lambda config: text), "config cannot be used")
    refused(rewritten(changed("audio.encoder", text)), "config cannot be used|expected a text of up to")


def test_sizes_that_the_weights_do_not_have_need_no_memory(rewritten):
    """Within the limits, but far larger than the file: refused by the shapes, before any weight is made."""

    def grow(config):
        config["unet"]["widths"], config["audio"]["token_width"] = [4096, 8192], 8192
        config["vae"]["widths"] = [8192, 8192]
        config["audio"]["encoder"] = json.dumps(
            {**TINY_ENCODER, "intermediate_size": 32768, "conv_dim": [8192] * 7, "conv_bias": True}
        )
        return json.dumps(config)

    program = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from emo_core.emo.weights.checkpoint import load_checkpoint\n"
        "from emo_core.errors import CheckpointError\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try: load_checkpoint(Path(sys.argv[1]))\n"
        "except CheckpointError as error: print(error)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, rewritten(grow)], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    message, kilobytes = done.stdout.splitlines()
    assert "does not match its own config" in message
    assert int(kilobytes) < 300 * 1024


def test_only_the_shape_is_read(rewritten):
    """A file chooses no attention implementation, and nothing else that transformers can be told."""
    extra = {
        "attn_implementation": "flash_attention_2", "_attn_implementation": "flash_attention_2", "torchscript": True,
        "use_weighted_layer_sum": True, "add_adapter": True, "output_attentions": True, "anything": {"else": [1]},
    }  # fmt: skip

    def change(config):
        config["audio"]["encoder"] = json.dumps({**TINY_ENCODER, **extra})
        return json.dumps(config)

    net = load_checkpoint(rewritten(change)).audio_encoder.net
    assert net.config._attn_implementation in ("sdpa", "eager")
    assert net.adapter is None and not net.config.output_attentions


def test_an_encoders_shape_survives_the_checkpoint():
    encoder = AudioEncoder.from_config(CONFIG.audio)
    written = json.loads(with_encoder(CONFIG.audio, encoder).encoder)
    assert written.keys() == EncoderShape.__dataclass_fields__.keys()
    again = AudioEncoder.from_config(with_encoder(CONFIG.audio, encoder))
    assert again.net.state_dict().keys() == encoder.net.state_dict().keys()
    shapes = [{key: value.shape for key, value in net.state_dict().items()} for net in (encoder.net, again.net)]
    assert shapes[0] == shapes[1]


def test_missing_fields_are_those_of_wav2vec2_base():
    """Metadata of older transformers names only what differs."""
    theirs = Wav2Vec2Config()
    for name, value in dataclasses.asdict(EncoderShape()).items():
        other = getattr(theirs, name)
        assert value == (tuple(other) if isinstance(value, tuple) else other), name


@pytest.mark.parametrize("file", [EMO_MINI, EMO_MINI_FEW])
def test_released_files_pass(file):
    """Their metadata has all fields of transformers' config."""
    loaded = load_checkpoint(file)
    assert loaded.vae is not None and loaded.audio_encoder.layers == loaded.config.audio.layers
