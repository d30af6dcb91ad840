"""Speed, work and memory of a model: `python -m tools.benchmark [--preset tiny mini sd15 hallo] [--device cpu|cuda]`.

For one clip of f frames with random weights: parameters, model FLOPs of one pass and of ReferenceNet, seconds per
denoising step (median, after a warm-up), the seconds per frame that 40 steps with audio guidance come to, and peak memory.
"""

import argparse
import statistics
import time
from dataclasses import replace

import torch
from torch.utils.flop_counter import FlopCounterMode

from emo_core.emo.conditions.audio_regions import AudioRegions
from emo_core.emo.conditions.clip import Conditions
from emo_core.emo.config import PRESETS, EMOConfig
from emo_core.emo.models.emo import EMO
from emo_core.emo.sampling.denoiser import Denoiser
from emo_core.emo.sampling.guidance import Guidance, GuidedContext
from emo_core.emo.weights.checkpoint import DTYPES
from emo_core.memory import peak_memory_mb

STEPS = 40


def conditions(config: EMOConfig, device: torch.device, dtype: torch.dtype) -> Conditions:
    """Random conditions for one clip."""
    f, n, latent = (
        config.temporal.frames,
        config.temporal.motion_frames,
        (config.vae.channels, *[config.latent_size] * 2),
    )
    audio = config.audio
    shapes = {
        "reference": latent,
        "audio": (f, 2 * audio.window + 1, audio.layers, audio.width),
        "face_region": (1, config.mask_size, config.mask_size),
        "speed": (f + 2 * config.speed.window,),
    }
    values = {name: torch.rand(1, *shape, device=device, dtype=dtype) for name, shape in shapes.items()}
    if config.block.audio == "regions":
        sides = [config.latent_size // 2**level for level in range(len(config.unet.widths))]
        maps = tuple(torch.rand(1, f, 3, side, side, device=device, dtype=dtype) for side in sides)
        values["audio_regions"] = AudioRegions(maps)
    return Conditions(values, motion=torch.rand(1, n, *latent, device=device, dtype=dtype))


@torch.no_grad()
def measure(config: EMOConfig, device: torch.device, dtype: torch.dtype, repeats: int) -> dict[str, str]:
    """One row of the table."""
    torch.set_default_dtype(dtype)
    with torch.device(device):
        emo = EMO(config)
    emo = emo.to(device).eval()  # Position tables are always built on the CPU.
    torch.set_default_dtype(torch.float32)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    inputs = conditions(config, device, dtype)
    f = config.temporal.frames
    noisy = torch.randn(1, f, *inputs["reference"].shape[1:], device=device)
    timestep = torch.tensor([500], device=device)
    with FlopCounterMode(display=False) as once:
        context = emo.context(inputs)
    denoiser, guided = Denoiser(emo), GuidedContext(context, Guidance.for_model(config, {"audio": 2.0}))
    with FlopCounterMode(display=False) as step:
        denoiser(noisy, timestep, context)
    joined, passes = guided.at(0, STEPS)
    seconds = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        denoiser(noisy.expand(passes, -1, -1, -1, -1), timestep.expand(passes), joined)
        if device.type == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - start)
    median = statistics.median(seconds[1:])
    return {
        "preset": config.name,
        "size": f"{config.image_size}",
        "frames": f"{f}",
        "parameters": f"{sum(p.numel() for p in emo.parameters()) / 1e6:.1f} M",
        "per clip": f"{once.get_total_flops() / 1e9:.1f} GFLOP",
        "per pass": f"{step.get_total_flops() / 1e9:.1f} GFLOP",
        "s/step": f"{median:.3f}",
        "s/frame": f"{median * STEPS / f:.3f}",
        "peak memory": f"{peak_memory_mb(device):.0f} MB",
    }


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--preset", nargs="+", choices=tuple(PRESETS), default=["tiny", "mini"])
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--dtype", choices=tuple(DTYPES), default=None, help="default: fp32 on the CPU, else bf16")
    parser.add_argument("--image-size", type=int, help="instead of the preset's")
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    device = torch.device(args.device)
    dtype = DTYPES[args.dtype or ("fp32" if device.type == "cpu" else "bf16")]
    print(
        f"torch {torch.__version__}, {device}, {dtype}, {torch.get_num_threads()} threads; one step = two passes (audio guidance)"
    )
    for position, name in enumerate(args.preset):
        config = PRESETS[name]
        if args.image_size:
            config = replace(config, image_size=args.image_size)
        row = measure(config, device, dtype, args.repeats)
        if position == 0:
            print("| " + " | ".join(row) + " |\n|" + "---|" * len(row))
        print("| " + " | ".join(row.values()) + " |", flush=True)


if __name__ == "__main__":
    main()
