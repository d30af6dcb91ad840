"""Keys and shapes of public checkpoints against those of our models."""

import pytest
import torch

from emo_core.emo.config import SD15
from emo_core.emo.models.emo import EMO
from emo_core.emo.weights.hallo import hallo_state
from emo_core.emo.weights.keys import rename
from emo_core.emo.weights.sd15 import ANIMATEDIFF, DIFFUSERS, TEXT, ldm_table
from emo_core.errors import CheckpointError
from tests.golden import FOLDER, manifest, read_golden


def meta_state(name):
    return {key: torch.empty(shape, device="meta") for key, shape in manifest(name).items()}


@pytest.fixture(scope="module")
def sd15_shapes():
    with torch.device("meta"):
        emo = EMO(SD15)
    return {key: tuple(value.shape) for key, value in emo.state_dict().items()}


def test_hallo_preset_takes_every_key_of_net_pth_but_those_without_influence():
    state = meta_state("hallo_net_pth")
    ours = hallo_state(state)
    assert len(state) == 2656
    assert len(state) - len(ours) == 42 + 5 * 26  # Position tables; five temporal modules.
    assert 2.2e9 < sum(value.numel() for value in ours.values()) < 2.42e9


def test_hallo_import_needs_no_key_that_has_no_influence():
    """Of the unused tensors, those of the temporal modules are left out; the tail of the reference UNet is loaded, as in Hallo."""
    unused = set(read_golden("hallo_net_pth_unused")["keys"])
    temporal = {key for key in unused if ".motion_modules." in key}
    state = {key: value for key, value in meta_state("hallo_net_pth").items() if key not in temporal}
    assert hallo_state(state).keys() == hallo_state(meta_state("hallo_net_pth")).keys()


@pytest.mark.parametrize("name", sorted(path.stem for path in FOLDER.glob("[mev]*.json")))
def test_networks_of_related_projects_are_refused(name):
    project = "V-Express" if name == "vexpress_denoising_unet" else "no denoising_unet with audio_modules"
    with pytest.raises(CheckpointError, match=project):
        hallo_state(meta_state(name))


def test_ldm_keys_become_diffusers_keys():
    prefix = "model.diffusion_model."
    ldm = {key.removeprefix(prefix): shape for key, shape in manifest("sd15_unet_ldm_single_file").items()}
    assert rename(ldm, ldm_table(SD15)) == manifest("sd15_unet_diffusers")
    for old, new in read_golden("sd15_unet_ldm_to_diffusers").items():
        assert list(rename({old.removeprefix(prefix): 0}, ldm_table(SD15))) == [new]


def test_sd15_unet_fits_backbone_and_reference_net(sd15_shapes):
    unet = {k: s for k, s in rename(manifest("sd15_unet_diffusers"), DIFFUSERS).items() if not TEXT.search(k)}
    for key, shape in unet.items():
        if ".transformer_blocks.0.norm2." not in key:
            assert sd15_shapes[f"backbone.{key}"] == shape
        if not key.startswith(("conv_norm_out", "conv_out")):
            assert sd15_shapes[f"reference_net.{key}"] == shape
    reference = {key for key in sd15_shapes if key.startswith("reference_net.")}
    assert reference == {f"reference_net.{k}" for k in unet if not k.startswith(("conv_norm_out", "conv_out"))}


@pytest.mark.parametrize(
    ("name", "positions"),
    [("animatediff_mm_sd_v15", 24), ("animatediff_mm_sd_v15_v2", 32), ("animatediff_v3_sd15_mm", 32)],
)
def test_animatediff_fits_the_temporal_modules(sd15_shapes, name, positions):
    for key, shape in rename(manifest(name), ANIMATEDIFF).items():
        if key.endswith("pos_encoder.pe"):
            assert shape[1] == positions
        else:
            assert sd15_shapes[f"backbone.{key}"] == shape
