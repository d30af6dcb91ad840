"""EMOSampler: one clip of the video, or several in a row."""

from typing import Any

from comfy_api.latest import io

from ..host.menus import check_choices
from ..host.schema import advanced, schema
from .inputs import SCHEDULERS, sampling_inputs, subject_inputs
from .sockets import CATEGORY, EmoMotion


class EMOSampler(io.ComfyNode):
    """Sample clips."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            CATEGORY,
            node_id="EMOSampler",
            display_name="EMO Sampler",
            description=(
                "Generates one clip (emo-mini: 12 frames) from portrait, audio features and motion frames. Chain samplers "
                "by their motion frames, or use Motion Frame Chainer for the whole video."
            ),
            search_aliases=["emote portrait alive", "talking head", "lip sync", "ksampler emo"],
            inputs=[
                *subject_inputs(),
                advanced(
                    io.Int.Input(
                        "clip_index",
                        default=-1,
                        min=-1,
                        max=1_000_000,
                        tooltip="Number of the clip in the video. -1: the clip after the motion frames, or 0 without them.",
                    )
                ),
                io.Int.Input(
                    "clips",
                    default=1,
                    min=1,
                    max=10_000,
                    tooltip="Number of clips to generate in a row. Each continues the previous one.",
                ),
                *sampling_inputs(),
            ],
            outputs=[
                io.Latent.Output("latent", display_name="latent", tooltip="Latents of the frames: to VAE Decode."),
                EmoMotion.Output(
                    "next_motion_frames",
                    display_name="motion_frames",
                    tooltip="To the EMO Sampler of the next clip, or to Motion Frame Chainer, which writes all clips so far.",
                ),
            ],
        )

    @classmethod
    def validate_inputs(cls, scheduler: str | None = None) -> bool | str:
        """Check the menu."""
        return check_choices(scheduler=(scheduler, SCHEDULERS))

    @classmethod
    def execute(cls, clip_index: int, clips: int, **inputs: Any) -> io.NodeOutput:
        from .generation import Scene

        frames, motion = Scene.from_inputs(**inputs).run_row(clip_index, clips)
        return io.NodeOutput({"samples": frames}, motion)
