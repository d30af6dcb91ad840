"""The paper's training stages as data (section 3.3): trained parts, samples, optimisation, loss, dropped conditions.

`vae`, the autoencoder of small models, is trained by `autoencoder`.
"""

import dataclasses
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import torch

from ...errors import InputError
from ..sampling.schedule import MAX_STEPS

SHARES = (
    "start",
    "white_mask",
    "motion_patch_drop",
    "motion_anchor",
    "high_noise",
    "sampler_timesteps",
    "constant_speed",
)
"""Fields that are shares or probabilities."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StageConfig:
    """One stage of training. A `--config` file may set any field."""

    stage: str
    """Its name on the command line."""

    # Trained parts.
    trains: tuple[str, ...]
    """Of `trainable.parts_of`; everything else is frozen."""

    # Samples.
    frames: int = 0
    """Target frames of a sample; 0 is the model's f. Single frames need not follow each other."""
    follow: bool = True
    """Whether the frames of a sample are contiguous, with motion frames before them."""
    conditions: tuple[str, ...] = ("reference", "face_region", "audio")
    """The conditions in use (`conditions.table`); the layers of the others are left out."""
    reference_gap: float = 0.5
    """Seconds between the reference and the nearest target frame, where the clip is long enough."""

    # Optimisation.
    batch: int = 4
    """Samples per process and micro step."""
    accumulate: int = 1
    """Micro steps per step of the optimiser."""
    learning_rate: float = 1e-5
    learning_rate_factors: Mapping[str, float] = field(default_factory=dict)
    """By a word in the names of parameters: new layers, such as `speed`, learn this many times faster than those that only adapt."""
    warm_up: int = 500
    """Steps until the full learning rate."""
    decay_from: float = 1.0
    """Share of the run after which the rate falls linearly to `decay_to`; 1 keeps it constant, as the paper does."""
    decay_to: float = 0.02
    beta2: float = 0.999
    weight_decay: float = 0.01
    clip: float = 1.0
    """Largest norm of the gradient."""
    optimiser: Literal["adamw", "adamw8bit"] = "adamw"
    """adamw8bit needs bitsandbytes."""
    precision: Literal["auto", "no", "bf16", "fp16"] = "auto"
    """auto: bf16 on GPUs that have it, else float32. Many CPUs only emulate bf16, ten times slower."""
    checkpointing: bool = False
    """Recompute activations in the backward pass: less memory, a third more time."""
    ema: float = 0.9995
    """Decay of the moving average of the trained weights. The average is exported."""

    # The loss.
    min_snr: float = 5.0
    """Gamma of min-SNR weighting, per sample (arXiv 2303.09556); 0 weighs all timesteps alike."""
    noise_offset: float = 0.05
    """Size of the constant that is added to each sample's and channel's noise."""
    mouth_weight: float = 1.0
    """Latent cells around the mouth count this many times."""
    high_noise: float = 0.0
    """Share of the samples whose timestep is drawn from the noisier 60 %, where the mouth depends on the audio most."""

    sampler_timesteps: float = 0.0
    """Share of the samples whose timestep is one of the sampler's own; a few-step model can learn all of them."""

    guided: bool = False
    """Learn the starting checkpoint's prediction with audio guidance (arXiv 2210.03142, stage one) instead of the noise."""

    # Dropped conditions and augmentation.
    drop: Mapping[str, float] = field(default_factory=lambda: {"reference": 0.05, "audio": 0.05})
    """By condition: probability of training without it, so that guidance and sampling without it work. Of speed, whole batches
    leave the layers out. Frames of unknown emotion are always without one."""
    start: float = 0.05
    """Probability of zero motion maps, as in the first clip of a video."""
    motion_noise: float = 0.2
    """Largest share of noise in the motion frames' latents, against drift over clips (as Hallo2)."""
    motion_patch_drop: float = 0.25
    """Largest share of latent cells that the motion frames lose (as Hallo2)."""
    motion_anchor: float = 0.0
    """Largest share of the reference that is mixed into the motion frames, for sampling with `TemporalConfig.anchor`."""
    augmented_sounds: bool = True
    """Whether augmented copies of the sound are drawn too, if the cache has some."""
    white_mask: float = 0.1
    """Probability of an all-white face region: any place."""
    constant_speed: float = 0.5
    """Share of the samples whose speed is one value, their mean, for all frames, as users give it."""
    mask_grow: float = 0.15
    """The face region grows by up to this share of the box on each side, in half of the samples."""

    # The run.
    seed: int = 0
    workers: int = 1
    """Processes that read data; 0 reads in the training process."""
    on_device: bool = False
    """Hold a cached dataset in the device's memory and draw batches there: for GPUs and small models."""
    log_every: int = 25
    save_every: int = 500
    """Steps between checkpoints."""
    keep: int = 2
    """Checkpoints that are kept."""
    validate_every: int = 1000
    """Steps between validations; 0 for none."""
    validation_steps: int = 20
    """Denoising steps of the validation video; 0 for none."""

    def __post_init__(self) -> None:
        self._check_trained_parts()
        shares = {name: getattr(self, name) for name in SHARES} | {f"drop of {k}": v for k, v in self.drop.items()}
        for name, value in shares.items():
            if not 0 <= value <= 1:
                raise InputError(f"config: {name}={value}; expected a share, 0 .. 1")
        for name in ("batch", "accumulate", "log_every", "save_every", "keep"):
            if getattr(self, name) < 1:
                raise InputError(f"config: {name}={getattr(self, name)}; expected at least 1")
        if not 0 <= self.validation_steps <= MAX_STEPS:
            raise InputError(f"config: validation_steps={self.validation_steps}; expected 0 .. {MAX_STEPS}")

    def _check_trained_parts(self) -> None:
        if not self.trains:
            raise InputError("config: trains is empty; name the parts to train")
        in_use = {*self.conditions, *(("temporal",) if self.follow else ())}
        if unused := {"audio", "temporal", "speed", "emotion"} & set(self.trains) - in_use:
            raise InputError(f"config: {', '.join(sorted(unused))} cannot train in a stage that does not use it")
        if self.guided and (self.drop.get("audio") or self.drop.get("reference")):
            raise InputError(
                "config: a guided stage learns one pass with every condition; drop of audio and reference must be 0"
            )
        if "speed" in self.conditions and not self.follow:
            raise InputError("config: speed lies between frames, so it needs follow: true")

    def with_options(self, options: dict[str, Any]) -> "StageConfig":
        """Replace fields by name, as a config file gives them.

        Raises:
            InputError: for a name that does not exist, or a value of another type.
        """
        hints = typing.get_type_hints(StageConfig)
        unknown = sorted(set(options) - set(hints))
        if unknown:
            raise InputError(f"config: unknown {', '.join(unknown)}; there are {', '.join(hints)}")
        typed = {name: _typed(name, value, hints[name]) for name, value in options.items()}
        if "drop" in typed:
            typed["drop"] = {**self.drop, **typed["drop"]}
        return replace(self, **typed)


def _typed(name: str, value: Any, kind: Any) -> Any:
    if typing.get_origin(kind) is Literal:
        value = "no" if value is False else value  # YAML reads a bare no so.
        accepted, kinds = value in typing.get_args(kind), " or ".join(map(repr, typing.get_args(kind)))
    elif typing.get_origin(kind) is Mapping:
        accepted, kinds = isinstance(value, dict), "a mapping such as {audio: 0.1}"
        if accepted:
            value = {str(key): _typed(f"{name} of {key}", item, float) for key, item in value.items()}
    elif isinstance(kind, types.GenericAlias):
        accepted, kinds, value = isinstance(value, (list, tuple)), "a list", tuple(value) if value else ()
    elif kind is float:
        value = _number(value)
        accepted, kinds = isinstance(value, (int, float)) and not isinstance(value, bool), "a number"
    else:
        accepted, kinds = type(value) is kind, kind.__name__
    if not accepted:
        raise InputError(f"config: {name} is {value!r}; expected {kinds}")
    return value


def _number(value: Any) -> Any:
    """YAML reads 1e-4 as a word; it takes 1.0e-4 for a number."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


STAGES = {
    "1": StageConfig(
        stage="1",
        trains=("reference_net", "backbone", "face_locator"),
        frames=1,
        follow=False,
        conditions=("reference", "face_region"),
        batch=48,
    ),
    "2": StageConfig(stage="2", trains=("audio", "temporal")),
    "3": StageConfig(
        stage="3",
        trains=("temporal", "speed"),
        conditions=("reference", "face_region", "audio", "speed"),
        drop={"reference": 0.05, "audio": 0.05, "speed": 0.2},
    ),
    "emotion": StageConfig(
        stage="emotion",
        trains=("temporal", "emotion"),
        conditions=("reference", "face_region", "audio", "emotion"),
        drop={"reference": 0.05, "audio": 0.05, "emotion": 0.1},
    ),
    "few": StageConfig(
        stage="few",
        trains=("backbone", "audio", "temporal", "speed"),
        conditions=("reference", "face_region", "audio", "speed"),
        guided=True,
        drop={"speed": 0.5},
    ),
}
"""1 image, 2 video, 3 speed; emotion: emotion layers, which a checkpoint without them gets; few: guidance distilled into the network, for
sampling in few steps of one pass. The audio layers act in stages 3 and emotion but do not train: speed would replace audio as the driver,
and speech stays as it was learnt."""


def read_options(path: Path) -> dict[str, dict[str, Any]]:
    """Read a config file: fields for all stages at its top, and for one stage under its name.

    Returns:
        options per stage.

    Raises:
        InputError: where the file is no YAML or JSON mapping.
    """
    import yaml

    try:
        content = yaml.safe_load(Path(path).read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"config: {path} cannot be read ({' '.join(str(error).split())}); give a YAML file") from error
    content = {str(key): value for key, value in content.items()} if isinstance(content, dict) else None
    if content is None or not all(isinstance(content.get(stage, {}), dict) for stage in STAGES):
        raise InputError(f"config: {path} is no mapping of names to values; see configs/mini.yaml")
    common = {key: value for key, value in content.items() if key not in STAGES}
    return {stage: {**common, **content.get(stage, {})} for stage in STAGES}


def options_of(config: StageConfig) -> dict[str, Any]:
    """The config as plain data."""
    return dataclasses.asdict(config)


def precision_of(precision: str) -> str:
    """Resolve `auto`: bf16 on a GPU that has it, else none."""
    if precision != "auto":
        return precision
    return "bf16" if torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False) else "no"
