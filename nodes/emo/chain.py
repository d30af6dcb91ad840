"""MotionFrameChainer: all clips of the video, as one file."""

from typing import Any

from comfy_api.latest import io

from ..host.menus import check_choices, require_choice
from ..host.schema import advanced, schema
from .inputs import SCHEDULERS, sampling_inputs, subject_inputs
from .sockets import CATEGORY

MODES = ["auto", "expanded", "loop"]


class MotionFrameChainer(io.ComfyNode):
    """Chain clips by their motion frames and write the video."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            CATEGORY,
            node_id="MotionFrameChainer",
            display_name="Motion Frame Chainer (EMO)",
            description=(
                "Generates a video of any length, clip by clip. Each clip continues the last frames of the previous one. "
                "Frames are written to an mp4 with the sound and are not kept in memory."
            ),
            search_aliases=[
                "lip sync",
                "talking head",
                "talking portrait",
                "long video",
                "talking video",
                "emo video",
                "any length",
            ],
            inputs=[
                *subject_inputs(),
                io.Vae.Input("vae", tooltip="From EMO Model Loader, or from Load VAE for checkpoints without VAE."),
                *sampling_inputs(),
                io.Float.Input(
                    "seconds",
                    default=0.0,
                    min=0.0,
                    max=86400.0,
                    step=0.01,
                    tooltip=(
                        "Maximum length of the video. 0 uses the whole sound. A later run with a higher value reuses the finished "
                        "clips."
                    ),
                ),
                advanced(
                    io.Combo.Input(
                        "mode",
                        options=MODES,
                        default="auto",
                        tooltip=(
                            "Both modes give the same video, and reuse finished clips. expanded: ComfyUI runs one EMO Sampler per several "
                            "clips. loop: all clips run in this node. auto: expanded, except for lists and with --cache-none."
                        ),
                    )
                ),
                io.Boolean.Input(
                    "return_frames",
                    default=False,
                    tooltip="Also return all frames as IMAGE, for Paste Back or an upscaler. Takes 20 MB per second at 256 x 256.",
                ),
            ],
            outputs=[
                io.Video.Output("video", display_name="video", tooltip="The video with its sound: to Save Video."),
                io.Image.Output("frames", display_name="frames", tooltip="All frames, if return_frames is on."),
            ],
            hidden=[io.Hidden.unique_id, io.Hidden.dynprompt],
            enable_expand=True,
        )

    @classmethod
    def validate_inputs(cls, scheduler: str | None = None, mode: str | None = None) -> bool | str:
        """Check the menus."""
        return check_choices(scheduler=(scheduler, SCHEDULERS), mode=(mode, MODES))

    @classmethod
    def execute(
        cls, vae: Any, emo_audio: Any, seconds: float, mode: str, return_frames: bool, **inputs: Any
    ) -> io.NodeOutput:
        from ..host.returned_frames import check_frames_are_returned, frames_or_blocker
        from ..host.video import temporary_video
        from .chaining import Chain
        from .expansion import expand, should_expand
        from .generation import Scene

        chain = Chain(Scene.from_inputs(emo_audio=emo_audio, **inputs), vae, emo_audio, seconds)
        if return_frames:
            chain.check_room()
        else:
            check_frames_are_returned(cls.hidden)
        if should_expand(require_choice("mode", mode, MODES), chain, cls.hidden):
            return expand(chain, cls.hidden.dynprompt.get_node(cls.hidden.unique_id)["inputs"])
        path, frames = chain.write(keep_frames=return_frames)
        return io.NodeOutput(temporary_video(path), frames_or_blocker(frames, "Motion Frame Chainer"))
