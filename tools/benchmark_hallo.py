"""Hallo's code beside ours: the same random weights, the same inputs, the same steps, in one process.

    HALLO_PATH=/path/to/hallo PYTHON -m tools.benchmark_hallo [--width golden|full] [--side 16] [--frames 4] [--steps 4] [--rounds 3] [--only hallo|ours]

PYTHON needs Hallo's requirements (diffusers 0.27, transformers 4.39, einops, opencv). Prints, for both, the median seconds of a
denoising step with guidance and of the work once per clip; and the largest difference of the latents.
"""

import argparse
import gc
import os
import statistics
import sys
import time
import types
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from einops import rearrange, repeat

from emo_core.emo.conditions.audio_regions import AudioRegions
from emo_core.emo.conditions.clip import Conditions
from emo_core.emo.config import HALLO, AudioConfig, EMOConfig, IdentityConfig, UNetConfig
from emo_core.emo.models.emo import EMO
from emo_core.emo.sampling.denoiser import Denoiser
from emo_core.emo.sampling.guidance import Guidance, GuidedContext, JointGuider
from emo_core.emo.sampling.schedule import make_scheduler
from emo_core.emo.weights.hallo import hallo_state
from emo_core.memory import peak_memory_mb

GUIDANCE, MOTION = 3.5, 2


def shape(width: str, side: int, frames: int) -> EMOConfig:
    """The preset, or the small widths that the golden numbers were recorded with."""
    temporal = replace(HALLO.temporal, frames=max(frames, MOTION + 1), motion_frames=MOTION)
    if width == "full":
        return replace(HALLO, image_size=side * 8, temporal=temporal)
    return replace(
        HALLO,
        image_size=side * 8,
        temporal=temporal,
        unet=UNetConfig(widths=(64, 32, 64, 64)),
        identity=IdentityConfig(embedding=64, tokens=4, width=16),
        audio=AudioConfig(layers=3, width=16, tokens=8, token_width=24, hidden=48),
    )


def theirs(config: EMOConfig) -> dict[str, Any]:
    """Hallo's modules at this shape, in the states of its inference script."""
    for name in ("xformers", "xformers.ops"):  # Imported, never used on this path.
        sys.modules.setdefault(name, types.ModuleType(name))
    sys.path.insert(0, os.environ["HALLO_PATH"])
    from hallo.models.face_locator import FaceLocator
    from hallo.models.mutual_self_attention import ReferenceAttentionControl
    from hallo.models.unet_2d_condition import UNet2DConditionModel
    from hallo.models.unet_3d import UNet3DConditionModel

    stable_diffusion = {
        "act_fn": "silu",
        "attention_head_dim": config.unet.heads,
        "block_out_channels": list(config.unet.widths),
        "center_input_sample": False,
        "cross_attention_dim": config.identity.width,
        "down_block_types": ["CrossAttnDownBlock2D"] * 3 + ["DownBlock2D"],
        "downsample_padding": 1,
        "flip_sin_to_cos": True,
        "freq_shift": 0,
        "in_channels": 4,
        "layers_per_block": config.unet.layers_per_block,
        "mid_block_scale_factor": 1,
        "norm_eps": 1e-5,
        "norm_num_groups": 32,
        "out_channels": 4,
        "sample_size": config.latent_size,
        "up_block_types": ["UpBlock2D"] + ["CrossAttnUpBlock2D"] * 3,
    }
    reference = UNet2DConditionModel.from_config(stable_diffusion)
    denoiser = UNet3DConditionModel.from_config(
        stable_diffusion
        | {
            "down_block_types": ["CrossAttnDownBlock3D"] * 3 + ["DownBlock3D"],
            "up_block_types": ["UpBlock3D"] + ["CrossAttnUpBlock3D"] * 3,
            "mid_block_type": "UNetMidBlock3DCrossAttn",
        },
        use_inflated_groupnorm=True,
        unet_use_cross_frame_attention=False,
        unet_use_temporal_attention=False,
        use_motion_module=True,
        use_audio_module=True,
        motion_module_resolutions=[1, 2, 4, 8],
        motion_module_mid_block=True,
        motion_module_decoder_only=False,
        motion_module_type="Vanilla",
        motion_module_kwargs={
            "num_attention_heads": 8,
            "num_transformer_block": 1,
            "attention_block_types": ["Temporal_Self", "Temporal_Self"],
            "temporal_position_encoding": True,
            "temporal_position_encoding_max_len": 32,
            "temporal_attention_dim_div": 1,
        },
        audio_attention_dim=config.audio.token_width,
        stack_enable_blocks_name=["up", "down", "mid"],
        stack_enable_blocks_depth=[0, 1, 2, 3],
    )
    locator = FaceLocator(conditioning_embedding_channels=config.unet.widths[0])
    reference.eval().requires_grad_(False)
    denoiser.train().requires_grad_(False)
    denoiser.enable_gradient_checkpointing()
    return {
        "reference": reference,
        "denoiser": denoiser,
        "locator": locator.requires_grad_(False),
        "control": ReferenceAttentionControl,
    }


def weights(modules: dict[str, Any], config: EMOConfig) -> dict[str, torch.Tensor]:
    """Small random weights in Hallo's modules; what is returned shares their memory, as a net.pth."""
    draw = torch.Generator().manual_seed(0)
    parts = {
        "reference_unet": modules["reference"],
        "denoising_unet": modules["denoiser"],
        "face_locator": modules["locator"],
    }
    for module in parts.values():
        for name, parameter in module.named_parameters():
            scale = 0.5 / max(parameter[0].numel(), 1) ** 0.5 if parameter.ndim > 1 else 0.05
            parameter.data.normal_(0, scale, generator=draw)
            if parameter.ndim == 1 and name.endswith("weight"):
                parameter.data.add_(1)
    state = {f"{part}.{key}": value for part, module in parts.items() for key, value in module.state_dict().items()}
    with torch.device("meta"):
        own = EMO(config).state_dict()
    for ours, named in (("identity_projection", "imageproj"), ("audio_projection", "audioproj")):
        for key, value in own.items():
            if key.startswith(f"{ours}."):
                state[key.replace(ours, named, 1)] = torch.randn(value.shape, generator=draw) * 0.1
    return {key: value for key, value in state.items() if "conv_norm_out" not in key or key.startswith("denoising")
            if not key.startswith(("reference_unet.conv_out", "reference_unet.conv_norm_out"))}  # fmt: skip


class Hallo:
    """A clip in Hallo's code, as its pipeline runs it, without VAE."""

    def __init__(self, modules: dict[str, Any], emo: EMO, conditions: Conditions) -> None:
        self.modules, self.emo, self.conditions = modules, emo, conditions

    def prepare(self) -> None:
        """What the pipeline does once per clip."""
        c, m = self.conditions, self.modules
        face, nobody = (self.emo.identity_projection(x) for x in (c["identity"], torch.zeros_like(c["identity"])))
        self.identity = torch.cat([nobody, face])
        arguments = {"do_classifier_free_guidance": True, "batch_size": 1, "fusion_blocks": "full"}
        self.writer = m["control"](m["reference"], mode="write", **arguments)
        self.reader = m["control"](m["denoiser"], mode="read", **arguments)
        latents = torch.cat([c["reference"], c.motion[0]]).repeat(2, 1, 1, 1)
        m["reference"](latents, torch.zeros(()), encoder_hidden_states=self.identity, return_dict=False)
        self.reader.update(self.writer, dtype=torch.float32)
        mask = repeat(c["face_region"].expand(-1, 3, -1, -1), "b c h w -> b c f h w", f=c["audio"].shape[1])
        face_map = m["locator"](mask)
        self.face = torch.cat([torch.zeros_like(face_map), face_map])
        audio = self.emo.audio_projection(c["audio"])
        self.audio = torch.cat([torch.zeros_like(audio), audio])
        masks = [rearrange(level[0], "f r h w -> r f (h w)") for level in c["audio_regions"].maps]
        self.masks = [[torch.cat([level[i]] * 2) for level in masks] for i in range(3)]

    def step(self, latents: torch.Tensor, timestep: torch.Tensor) -> torch.Tensor:
        """The guided prediction for (1, C, F, H, W)."""
        found = self.modules["denoiser"](
            torch.cat([latents] * 2),
            timestep,
            encoder_hidden_states=self.identity,
            mask_cond_fea=self.face,
            full_mask=self.masks[0],
            face_mask=self.masks[1],
            lip_mask=self.masks[2],
            audio_embedding=self.audio,
            motion_scale=list(self.conditions["audio_regions"].weights),
            return_dict=False,
        )[0]
        without, with_all = found.chunk(2)
        return without + GUIDANCE * (with_all - without)

    def finish(self) -> None:
        """Its features live in the modules."""
        self.reader.clear()
        self.writer.clear()


class Ours:
    """The same in ours."""

    def __init__(self, emo: EMO, conditions: Conditions) -> None:
        self.denoiser, self.conditions = Denoiser(emo), conditions

    def prepare(self) -> None:
        """Once per clip."""
        context = self.denoiser.emo.context(self.conditions)
        self.context = GuidedContext(context, Guidance((JointGuider(scale=GUIDANCE),)))

    def step(self, latents: torch.Tensor, timestep: torch.Tensor) -> torch.Tensor:
        """As `Hallo.step`."""
        current, passes = self.context.at(0, 1)
        noisy = rearrange(latents, "b c f h w -> b f c h w").expand(passes, -1, -1, -1, -1)
        found = self.context.combine(self.denoiser(noisy, timestep.expand(passes), current))
        return rearrange(found, "b f c h w -> b c f h w")

    def finish(self) -> None:
        """Nothing to forget."""


@torch.no_grad()
def clip(
    code: Hallo | Ours, config: EMOConfig, noise: torch.Tensor, steps: int
) -> tuple[torch.Tensor, float, list[float]]:
    """Latents, seconds of preparation, seconds of each step."""
    scheduler = make_scheduler("ddim", config.diffusion, steps)
    start = time.perf_counter()
    code.prepare()
    prepared, seconds, latents = time.perf_counter() - start, [], noise
    for index, timestep in enumerate(scheduler.timesteps):
        start = time.perf_counter()
        prediction = code.step(latents, torch.tensor(timestep, device=latents.device))
        latents = scheduler.step(index, latents, prediction)
        seconds.append(time.perf_counter() - start)
    code.finish()
    return latents, prepared, seconds


def inputs(config: EMOConfig, frames: int) -> Conditions:
    """Random conditions of one clip."""
    draw, side, audio = torch.Generator().manual_seed(1), config.latent_size, config.audio
    values = {
        "reference": torch.randn(1, 4, side, side, generator=draw),
        "audio": torch.randn(1, frames, 2 * audio.window + 1, audio.layers, audio.width, generator=draw),
        "face_region": torch.rand(1, 1, config.mask_size, config.mask_size, generator=draw),
        "identity": torch.randn(1, config.identity.embedding, generator=draw),
        "audio_regions": AudioRegions(
            tuple(torch.rand(1, frames, 3, side >> level, side >> level, generator=draw) for level in range(4)),
            (1.0, 0.8, 1.2),
        ),
    }
    return Conditions(values, motion=torch.randn(1, MOTION, 4, side, side, generator=draw))


def main() -> None:
    """Print a row per code, and the difference."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--width", choices=("golden", "full"), default="golden")
    parser.add_argument("--side", type=int, default=16, help="of the latents (32 is 256 pixels)")
    parser.add_argument("--frames", type=int, default=4)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=("hallo", "ours"), help="one code alone, for its peak memory")
    args = parser.parse_args()
    if not Path(os.environ.get("HALLO_PATH", "")).joinpath("hallo").is_dir():
        raise SystemExit("set HALLO_PATH to a checkout of github.com/fudan-generative-vision/hallo")
    config = shape(args.width, args.side, args.frames)
    modules = theirs(config)
    state = hallo_state(weights(modules, config), config)
    with torch.device("meta"):
        emo = EMO(config)
    emo.load_state_dict(state, assign=True)
    emo.eval().requires_grad_(False)
    conditions = inputs(config, args.frames)
    noise = torch.randn(1, 4, args.frames, args.side, args.side, generator=torch.Generator().manual_seed(2))
    codes, times, found = {"hallo": Hallo(modules, emo, conditions), "ours": Ours(emo, conditions)}, {}, {}
    codes = {name: code for name, code in codes.items() if args.only in (None, name)}
    for round_number in range(args.rounds + 1):  # The first warms up.
        for name, code in codes.items():
            gc.collect()
            found[name], prepared, seconds = clip(code, config, noise, args.steps)
            if round_number:
                times.setdefault(name, []).append((prepared, statistics.median(seconds)))
    medians = {name: [statistics.median(column) for column in zip(*rows, strict=True)] for name, rows in times.items()}
    for name, (prepared, step) in medians.items():
        print(f"{name:6} once per clip {prepared:8.3f} s   a step {step:8.3f} s")
    memory = peak_memory_mb(torch.device("cpu"))
    if args.only:
        print(f"{args.only} alone: peak memory {memory:.0f} MB")
        return
    (p1, s1), (p2, s2) = medians["hallo"], medians["ours"]
    difference = float((found["hallo"] - found["ours"]).abs().max() / found["hallo"].abs().max())
    print(
        f"ours is {s1 / s2:.2f} times as fast per step, {p1 / p2:.2f} per clip before the steps; largest relative difference {difference:.1e}"
    )
    print(f"{args.width} width, {args.side * 8} x {args.side * 8}, {args.frames} frames, {args.steps} steps, {torch.get_num_threads()} threads; "
          f"peak memory of both together {memory:.0f} MB")  # fmt: skip


if __name__ == "__main__":
    main()
