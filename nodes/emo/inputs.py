"""The inputs that EMOSampler and MotionFrameChainer share, so that one graph can hold either."""

from comfy_api.latest import io

from ...emo_core.emo.sampling.schedule import MAX_STEPS, SCHEDULERS
from ..host.menus import one_of
from ..host.schema import EmoAudio, EmoFace, EmoModel, EmoMotion, EmoSpeed

MAX_SEED = 0xFFFF_FFFF_FFFF_FFFF


def subject_inputs() -> list[io.Input]:
    """Who speaks, what, and how."""
    return [
        EmoModel.Input("model", tooltip="From EMO Model Loader."),
        io.Latent.Input(
            "reference",
            tooltip="The portrait: Face Locator Mask's crop through VAE Encode. Of several, the first is used.",
        ),
        EmoAudio.Input("emo_audio", tooltip="From Load Audio Wav2Vec: what is said, and how long the video is."),
        io.Mask.Input(
            "mask",
            optional=True,
            tooltip="Where the face may be, from Face Locator Mask: square, as its crop. Nothing wired, or all black: anywhere.",
        ),
        EmoFace.Input(
            "emo_face",
            optional=True,
            tooltip="From Face Locator Mask, for models that tell head, face and lips apart (Hallo). Others do not read it.",
        ),
        EmoSpeed.Input(
            "emo_speed",
            optional=True,
            tooltip="From Speed Condition. Nothing wired: the model decides how the head moves.",
        ),
        EmoMotion.Input(
            "motion_frames",
            optional=True,
            tooltip="From the EMO Sampler of the clip before: this one goes on from there. Nothing wired: the video begins here.",
        ),
        io.Latent.Input(
            "film_frames",
            optional=True,
            tooltip=(
                "The last frames of a film, cropped by Face Locator Mask, through VAE Encode: the video goes on from them. Not "
                "used where motion_frames are wired."
            ),
        ),
    ]


def sampling_inputs() -> list[io.Input]:
    """How to sample."""
    return [
        io.Int.Input(
            "seed",
            default=0,
            min=0,
            max=MAX_SEED,
            control_after_generate=True,
            tooltip=(
                "Same seed, same video. Every clip draws its own noise from it. Set what happens after a run to fixed, so that "
                "clips that are done are not made again."
            ),
        ),
        io.Int.Input(
            "steps",
            default=40,
            min=0,
            max=MAX_STEPS,
            tooltip="Denoising steps per clip. The paper uses 40; 10 make a good draft; 0 is the checkpoint's own number (emo-mini-few: 2).",
        ),
        io.Combo.Input(
            "scheduler",
            options=list(SCHEDULERS),
            default="ddim",
            tooltip="ddim is the paper's, and right for all that comes with the pack, emo-mini-few too. lcm is only for LCM-distilled weights.",
        ),
        io.Float.Input(
            "reference_scale",
            default=0.0,
            min=0.0,
            max=20.0,
            step=0.1,
            tooltip="Guidance: how closely the face follows the portrait. 1 is off and faster; 0 is the checkpoint's own value.",
        ),
        io.Float.Input(
            "audio_scale",
            default=0.0,
            min=0.0,
            max=20.0,
            step=0.1,
            tooltip=(
                "Guidance: how closely the mouth follows the voice. 1 is off and faster; 0 is the checkpoint's own value "
                "(emo-mini: 1.7)."
            ),
        ),
    ]


def known_scheduler(scheduler: str | None) -> bool | str:
    """For `validate_inputs`."""
    return one_of("scheduler", scheduler, list(SCHEDULERS))
