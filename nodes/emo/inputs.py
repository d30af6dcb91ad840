"""Inputs that EMOSampler and MotionFrameChainer share, so that the chainer can expand into samplers."""

from comfy_api.latest import io

from ...emo_core.emo.sampling.schedule import MAX_STEPS, SCHEDULERS
from ..host.schema import advanced
from .sockets import EmoAudio, EmoFace, EmoGuide, EmoModel, EmoMotion, EmoSpeed

MAX_SEED = 0xFFFF_FFFF_FFFF_FFFF


def subject_inputs() -> list[io.Input]:
    """Model and conditions."""
    return [
        EmoModel.Input("model", tooltip="From EMO Model Loader."),
        io.Latent.Input(
            "reference",
            tooltip="Latent of the portrait: Face Locator Mask's crop through VAE Encode. Of a batch, the first is used.",
        ),
        EmoAudio.Input(
            "emo_audio", tooltip="Audio features from Load Audio Wav2Vec. Their number is the length of the video."
        ),
        io.Mask.Input(
            "mask",
            optional=True,
            tooltip=(
                "Face region from Face Locator Mask, of the crop's square shape. Not wired or all black: the whole picture."
            ),
        ),
        EmoFace.Input(
            "emo_face",
            optional=True,
            tooltip="From Face Locator Mask: regional audio weights and face embedding. Hallo uses them, EMO does not.",
        ),
        EmoSpeed.Input(
            "emo_speed",
            optional=True,
            tooltip="Head speed from Speed Condition. Not wired: the speed layers are off.",
        ),
        EmoMotion.Input(
            "motion_frames",
            optional=True,
            tooltip="From the EMO Sampler of the previous clip, which this one continues. Not wired: the video starts here.",
        ),
        io.Latent.Input(
            "film_frames",
            optional=True,
            tooltip=(
                "The last frames of an existing video, cropped by Face Locator Mask, through VAE Encode. The new video continues "
                "them. Ignored if motion_frames is wired."
            ),
        ),
        EmoGuide.Input(
            "emo_guide",
            optional=True,
            tooltip=(
                "Frames of Animate Portrait, from Guide Frames: the network repairs them. Checkpoints with a guide need them (emo-mini-few); "
                "others take none."
            ),
        ),
    ]


def sampling_inputs() -> list[io.Input]:
    """Settings of the sampler."""
    return [
        io.Int.Input(
            "seed",
            default=0,
            min=0,
            max=MAX_SEED,
            control_after_generate=True,
            tooltip=(
                "The same seed gives the same video. Each clip has its own noise. Set `control after generate` to fixed, so that "
                "finished clips are reused."
            ),
        ),
        io.Int.Input(
            "steps",
            default=0,
            min=0,
            max=MAX_STEPS,
            tooltip=(
                "Denoising steps per clip. 0 uses the checkpoint's own number, which is best (emo-mini: 40, emo-mini-few: 1). "
                "With emo-mini, 10 make a good draft."
            ),
        ),
        advanced(
            io.Combo.Input(
                "scheduler",
                options=list(SCHEDULERS),
                default="ddim",
                tooltip="ddim: for both built-in checkpoints, as in the paper. lcm: only for weights distilled by LCM.",
            )
        ),
        advanced(
            io.Float.Input(
                "reference_scale",
                default=0.0,
                min=0.0,
                max=20.0,
                step=0.1,
                tooltip=(
                    "Guidance scale of the reference portrait. 1 turns it off and is faster; 0 uses the checkpoint's own value."
                ),
            )
        ),
        io.Float.Input(
            "audio_scale",
            default=0.0,
            min=0.0,
            max=20.0,
            step=0.1,
            tooltip=(
                "Guidance scale of the audio: higher values move the mouth more. 1 turns it off and is faster; 0 uses the "
                "checkpoint's own value (emo-mini: 1.7)."
            ),
        ),
    ]
