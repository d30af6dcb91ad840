"""Let the guided network repair the gathered clips: `python -m recipes.emo_mini.guide_repair --clips clips.safetensors --checkpoint emo-mini-few.safetensors --out latents.safetensors`.

The decoder then learns from what the network really gives it.

Shape legend: T frames of all clips, F of one, C h w latent.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor
from tqdm import tqdm

from emo_core.audio.features import EncodedFrames
from emo_core.emo.conditions.face_region import box_masks
from emo_core.emo.sampling.clips import Clip
from emo_core.emo.sampling.denoiser import Denoiser
from emo_core.emo.sampling.generate import Settings, Subject, generate
from emo_core.emo.training.objective import in_precision, quick_attention
from emo_core.emo.weights.checkpoint import Checkpoint, load_checkpoint
from emo_core.files import atomic_path

from .guide_gather import Gathered


@dataclass(frozen=True, slots=True)
class GatheredGuide:
    """The guide of one gathered clip, as the condition reads it."""

    guides: Tensor
    """(F, C, h, w)"""

    def latents(self, clip: Clip, frames: int) -> Tensor:
        """(frames, C, h, w), the last one repeated behind the end."""
        return self.guides[torch.arange(clip.start, clip.start + frames).clamp(max=len(self.guides) - 1)]


def repaired(gathered: Gathered, checkpoint: Checkpoint) -> Iterator[Tensor]:
    """The latents (F, C, h, w) float16 of each clip, generated as in use."""
    config, arrays, denoiser = checkpoint.config, gathered.arrays, Denoiser(checkpoint.emo)
    regions = box_masks(arrays["boxes"], config.mask_size)
    stops = arrays["lengths"].cumsum(0).tolist()
    for number, (stop, count) in enumerate(zip(stops, arrays["lengths"].tolist(), strict=True)):
        rows = slice(stop - count, stop)
        values = {
            "reference": arrays["portraits"][number].float(),
            "audio": EncodedFrames(arrays["features"][rows].float(), config.audio.window),
            "face_region": regions[number],
            "guide": GatheredGuide(arrays["guides"][rows].float()),
        }
        subject = Subject(frames=count, values=values)
        settings = Settings(steps=config.diffusion.steps, seed=number)
        with torch.no_grad(), in_precision("bf16", torch.device("cpu")), quick_attention(torch.device("cpu")):
            yield torch.cat(list(generate(denoiser, subject, settings))).half()


def main() -> None:
    """Repair all clips and write the latents."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=Path, nargs="+", required=True, help="of recipes.emo_mini.guide_gather")
    parser.add_argument("--checkpoint", type=Path, required=True, help="of recipes.emo_mini.guide_train")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    torch.set_num_threads(1)
    gathered = Gathered.open(*args.clips)
    parts = repaired(gathered, load_checkpoint(args.checkpoint))
    latents = torch.cat(list(tqdm(parts, total=len(gathered.names), desc="repair", disable=None)))
    with atomic_path(args.out) as temporary:
        save_file({"latents": latents}, temporary)


if __name__ == "__main__":
    main()
