"""MotionFrameChainer: the whole length, clip after clip, as one video."""

from typing import Any

from comfy_api.latest import io

from ..host.menus import MODES, one_of
from ..host.schema import schema
from .inputs import known_scheduler, sampling_inputs, subject_inputs


class MotionFrameChainer(io.ComfyNode):
    """Chain clips by their motion frames and write the video."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="MotionFrameChainer",
            display_name="Motion Frame Chainer (EMO)",
            description=(
                "Makes a video of any length: one clip after the other, each going on from the last frames of the one "
                "before. Frames stream into an mp4 with the sound; none are kept in memory."
            ),
            search_aliases=["long video", "talking video", "emo video", "any length"],
            inputs=[
                *subject_inputs(),
                io.Vae.Input("vae", tooltip="From EMO Model Loader, or Load VAE for checkpoints that bring none."),
                *sampling_inputs(),
                io.Float.Input(
                    "seconds",
                    default=0.0,
                    min=0.0,
                    max=86400.0,
                    step=0.01,
                    tooltip=(
                        "Stop after so many seconds; 0 is the whole sound. Raising it later reuses the clips that are done "
                        "(mode expanded)."
                    ),
                ),
                io.Combo.Input(
                    "mode",
                    options=MODES,
                    default="auto",
                    tooltip=(
                        "The same video either way. expanded: the host runs one EMO Sampler per clip (later on, one per few) and "
                        "remembers them, so a cancelled or lengthened run goes on where it was. loop: all in this node, least "
                        "memory. auto is expanded. Lists, and hosts with --cache-none, are always looped."
                    ),
                ),
                io.Boolean.Input(
                    "return_frames",
                    default=False,
                    tooltip="Also give all frames as IMAGE, for Paste Back or an upscaler. Takes memory: 20 MB/s at 256 x 256.",
                ),
            ],
            outputs=[
                io.Video.Output("video", display_name="video", tooltip="With its sound: to Save Video."),
                io.Image.Output("frames", display_name="frames", tooltip="All frames, if return_frames is on."),
            ],
            hidden=[io.Hidden.unique_id, io.Hidden.dynprompt],
            enable_expand=True,
        )

    @classmethod
    def validate_inputs(cls, scheduler: str | None = None, mode: str | None = None) -> bool | str:
        """The host does not check menus of such nodes."""
        found = one_of("mode", mode, MODES)
        return known_scheduler(scheduler) if found is True else found

    @classmethod
    def execute(
        cls, vae: Any, emo_audio: Any, seconds: float, mode: str, return_frames: bool, **inputs: Any
    ) -> io.NodeOutput:
        from .chaining import Chain, expanded, frames_or_blocker, should_expand, temporary_video
        from .generation import Scene

        chain = Chain(Scene.from_inputs(emo_audio=emo_audio, **inputs), vae, emo_audio, seconds)
        if return_frames:
            chain.check_room()
        if should_expand(mode, chain, cls.hidden):
            return expanded(chain, cls.hidden.dynprompt.get_node(cls.hidden.unique_id)["inputs"])
        path, frames = chain.write(keep_frames=return_frames)
        return io.NodeOutput(temporary_video(path), frames_or_blocker(frames))
