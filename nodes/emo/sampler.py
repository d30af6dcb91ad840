"""EMOSampler: one clip of the video, or a few in a row."""

from typing import Any

from comfy_api.latest import io

from ..host.schema import EmoMotion, schema
from .inputs import known_scheduler, sampling_inputs, subject_inputs


class EMOSampler(io.ComfyNode):
    """Sample a clip."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="EMOSampler",
            display_name="EMO Sampler",
            description=(
                "Generates one clip (emo-mini: 12 frames) from portrait, voice and motion frames. Chain several by their "
                "motion frames, or let Motion Frame Chainer make the whole video."
            ),
            search_aliases=["emote portrait alive", "talking head", "lip sync", "ksampler emo"],
            inputs=[
                *subject_inputs(),
                io.Int.Input(
                    "clip_index",
                    default=-1,
                    min=-1,
                    max=1_000_000,
                    tooltip="Which clip of the video. -1: the one after the motion frames, 0 without.",
                ),
                io.Int.Input(
                    "clips",
                    default=1,
                    min=1,
                    max=10_000,
                    tooltip="How many clips to make in a row, each from the one before.",
                ),
                *sampling_inputs(),
            ],
            outputs=[
                io.Latent.Output("latent", display_name="latent", tooltip="The frames: to VAE Decode."),
                EmoMotion.Output(
                    "next_motion_frames",
                    display_name="motion_frames",
                    tooltip="For the next clip's EMO Sampler, or for Motion Frame Chainer, which writes all clips so far.",
                ),
            ],
        )

    @classmethod
    def validate_inputs(cls, scheduler: str | None = None) -> bool | str:
        """See `known_scheduler`."""
        return known_scheduler(scheduler)

    @classmethod
    def execute(cls, clip_index: int, clips: int, **inputs: Any) -> io.NodeOutput:
        from .generation import Scene

        frames, motion = Scene.from_inputs(**inputs).run_row(clip_index, clips)
        return io.NodeOutput({"samples": frames}, motion)
