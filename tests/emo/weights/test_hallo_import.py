"""Import of Hallo's net.pth: complete, or refused with the reason."""

import json
import resource
import subprocess
import sys
import time

import pytest
import torch
from safetensors.torch import load_file

from emo_core.__main__ import main
from emo_core.emo.conditions.audio_regions import AudioRegions, regions_of_mask
from emo_core.emo.conditions.clip import Conditions
from emo_core.emo.config import HALLO
from emo_core.emo.models.temporal import sinusoids
from emo_core.emo.sampling.denoiser import Denoiser
from emo_core.emo.sampling.generate import Settings, Subject, generate
from emo_core.emo.sampling.guidance import Guidance, GuidedContext
from emo_core.emo.sampling.sampler import sample
from emo_core.emo.weights.checkpoint import load_checkpoint, save_checkpoint
from emo_core.emo.weights.hallo import hallo_state, load_hallo
from emo_core.errors import CheckpointError
from tests.emo.models.test_hallo import small
from tests.emo.sampling.test_generate import Recorded
from tests.golden import HALLO_NUMBERS, manifest, needs_hallo_numbers


@pytest.fixture(scope="module")
def config():
    return small(json.loads((HALLO_NUMBERS / "bundle.json").read_text()))


@pytest.fixture
def state():
    return load_file(HALLO_NUMBERS / "net.safetensors")


@pytest.mark.slow
@needs_hallo_numbers
def test_an_imported_checkpoint_generates_a_video(state, config, tmp_path):
    """net.pth -> safetensors -> latents of a video; the config gives the sampling options."""
    torch.save(state, tmp_path / "net.pth")
    save_checkpoint(tmp_path / "hallo.safetensors", config, {"emo": load_hallo(tmp_path / "net.pth", config)})
    loaded = load_checkpoint(tmp_path / "hallo.safetensors")
    diffusion = loaded.config.diffusion
    assert (diffusion.prediction, diffusion.beta_schedule, diffusion.zero_terminal_snr) == (
        "v_prediction",
        "linear",
        True,
    )
    assert (diffusion.guidance, diffusion.audio_scale, loaded.config.temporal.motion_frames) == ("joint", 3.5, 2)
    draw = torch.Generator().manual_seed(0)
    audio = Recorded(torch.randn(6, 5, config.audio.layers, config.audio.width, generator=draw))
    values = {"reference": torch.randn(4, 16, 16, generator=draw), "audio": audio}
    settings = Settings(steps=2, guidance=Guidance.for_model(loaded.config, {}))

    def video(**more):
        subject = Subject(frames=audio.frames, values={**values, **more})
        return torch.cat(list(generate(Denoiser(loaded.emo), subject, settings)))

    plain = video()
    assert plain.shape == (6, 4, 16, 16)
    assert plain.isfinite().all()
    mask = torch.zeros(config.mask_size, config.mask_size)
    mask[30:90, 40:80] = 1
    maps = (regions_of_mask(mask),)
    embedding = torch.randn(config.identity.embedding, generator=draw)
    for condition in ({"identity": embedding}, {"face_region": mask}, {"audio_regions": AudioRegions(maps)}):
        assert not torch.equal(video(**condition), plain)
    weak_face = AudioRegions(maps, (1.0, 0.2, 1.0))
    assert not torch.equal(video(audio_regions=weak_face), video(audio_regions=AudioRegions(maps)))


@needs_hallo_numbers
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s | {"denoising_unet.extra.weight": torch.zeros(1)}, r"1 unknown \(backbone\.extra\.weight\)"),
        (lambda s: s | {"surplus.weight": torch.zeros(1)}, r"1 unknown \(surplus\.weight\)"),
        (lambda s: {k: v for k, v in s.items() if not k.startswith("audioproj.")}, "8 missing"),
        (lambda s: s | {"imageproj.norm.bias": torch.zeros(3)}, r"1 misshaped \(identity_projection\.norm\.bias"),
        (
            lambda s: {"down_blocks.0.attentions.0.transformer_blocks.0.attn1_5.to_k.weight": torch.zeros(1)},
            "V-Express",
        ),
        (lambda s: {"model.diffusion_model.out.2.bias": torch.zeros(1)}, r"it has: model\); give net\.pth"),
    ],
)
def test_wrong_keys_and_files_of_other_projects_are_named(state, config, change, message):
    with pytest.raises(CheckpointError, match=message):
        hallo_state(change(state), config)


@needs_hallo_numbers
def test_damaged_files_and_code_are_refused(state, config, tmp_path):
    torch.save(state, tmp_path / "net.pth")
    whole = (tmp_path / "net.pth").read_bytes()
    (tmp_path / "half.pth").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_hallo(tmp_path / "half.pth", config)
    torch.save({"a": object()}, tmp_path / "code.pth")
    with pytest.raises(CheckpointError, match="it was not opened"):
        load_hallo(tmp_path / "code.pth", config)
    halves = {key: value.half() for key, value in state.items()}
    torch.save({"state_dict": halves}, tmp_path / "fp16.pth")
    assert load_hallo(tmp_path / "fp16.pth", config)["audio_projection.norm.bias"].dtype == torch.float16


@pytest.mark.slow
def test_full_size_import_and_step(tmp_path, capsys):
    """A random net.pth of the published shapes: imported within 1.3 times its size, then one step at 512 x 512."""
    shapes = manifest("hallo_net_pth")
    draw = torch.Generator().manual_seed(0)
    state = {
        key: sinusoids(*shape[1:])[None]
        if key.endswith("pos_encoder.pe")
        else torch.randn(shape, generator=draw).mul(0.02).half()
        for key, shape in shapes.items()
    }
    torch.save(state, tmp_path / "net.pth")
    del state
    size = (tmp_path / "net.pth").stat().st_size
    # Not getrusage: after a fork its maximum includes the parent's memory.
    program = (
        "import sys; from emo_core.__main__ import main; code = main(sys.argv[1:]); "
        "print(open('/proc/self/status').read().split('VmHWM:')[1].split()[0]); sys.exit(code)"
    )
    command = [sys.executable, "-c", program]
    command += ["weights", "import", "--hallo", str(tmp_path / "net.pth"), "--out", str(tmp_path / "hallo.safetensors")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    peak = int(done.stdout.splitlines()[-1]) * 1024
    (tmp_path / "net.pth").unlink()
    assert peak < 1.3 * size, f"{peak / size:.2f} of the file"
    model = load_checkpoint(tmp_path / "hallo.safetensors")
    emo, frames = model.emo, 2
    maps = tuple(torch.rand(1, frames, 3, 64 >> level, 64 >> level, generator=draw) for level in range(4))
    values = {
        "reference": torch.randn(1, 4, 64, 64, generator=draw),
        "audio": torch.randn(1, frames, 5, 12, 768, generator=draw),
        "face_region": torch.ones(1, 1, 512, 512),
        "audio_regions": AudioRegions(maps),
    }
    conditions = Conditions(values, motion=torch.randn(1, 2, 4, 64, 64, generator=draw))
    start = time.monotonic()
    with torch.no_grad():
        context = GuidedContext(emo.context(conditions), Guidance.for_model(model.config, {}))
        latents = sample(Denoiser(emo), context, torch.randn(1, frames, 4, 64, 64, generator=draw), steps=1)
    assert latents.shape == (1, frames, 4, 64, 64)
    assert latents.isfinite().all()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    report = (
        f"import peak {peak / size:.2f} of the file; a step {time.monotonic() - start:.0f} s; {memory / 2**30:.1f} GiB"
    )
    sys.stderr.write(report + "\n")
    assert memory < 24 * 2**30
    assert HALLO.name == model.config.name


def test_the_command_line_reports_a_wrong_file_and_a_missing_one(tmp_path, capsys):
    torch.save({"x": torch.zeros(1)}, tmp_path / "x.pth")
    assert (
        main(["weights", "import", "--hallo", str(tmp_path / "x.pth"), "--out", str(tmp_path / "y.safetensors")]) == 2
    )
    assert "no denoising_unet with audio_modules" in capsys.readouterr().err
    assert (
        main(["weights", "import", "--hallo", str(tmp_path / "gone.pth"), "--out", str(tmp_path / "y.safetensors")])
        == 2
    )
    assert "no file at" in capsys.readouterr().err
