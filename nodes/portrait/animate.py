"""AnimatePortrait: a portrait wears a face motion."""

from typing import Any

from comfy_api.latest import io

from ..host.inputs import POINTS_ARE_NEEDED, face_index_input, landmarks_input
from ..host.schema import schema
from .sockets import CATEGORY, FaceMotion


class AnimatePortrait(io.ComfyNode):
    """Move a portrait's own pixels and write the video."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            CATEGORY,
            node_id="AnimatePortrait",
            display_name="Animate Portrait",
            description=(
                "Moves the pixels of a portrait by a face motion and writes an mp4. The face keeps its identity and its "
                "sharpness; photos, paintings and 3D pictures work. No diffusion model is used, so it runs on a CPU."
            ),
            search_aliases=[
                "talking portrait",
                "talking head",
                "lip sync",
                "face reenactment",
                "animate photo",
                "live portrait",
            ],
            inputs=[
                io.Image.Input(
                    "portrait", tooltip="A picture with a face that looks to the front. Of a batch, the first is used."
                ),
                FaceMotion.Input(
                    "motion", tooltip="From Speech to Face Motion, Face Motion from Video or Load Face Motion."
                ),
                io.Audio.Input(
                    "audio",
                    optional=True,
                    tooltip="Sound of the video, from the node that made the motion. Not wired: the video is silent.",
                ),
                landmarks_input("the same portrait", POINTS_ARE_NEEDED),
                face_index_input(15, " in the portrait"),
                io.Int.Input(
                    "size",
                    default=512,
                    min=128,
                    max=1024,
                    step=8,
                    tooltip="Side of the animated square in pixels. A larger one is sharper, if the portrait is, and slower.",
                ),
                io.Boolean.Input(
                    "paste_back",
                    default=False,
                    tooltip="Put the animated square back into the whole portrait, with a soft edge.",
                ),
                io.Boolean.Input(
                    "return_frames",
                    default=False,
                    tooltip="Also return all frames as IMAGE, for an upscaler. Takes 79 MB per second at 512 x 512 and 25 fps.",
                ),
            ],
            outputs=[
                io.Video.Output("video", display_name="video", tooltip="The video with its sound: to Save Video."),
                io.Image.Output("frames", display_name="frames", tooltip="All frames, if return_frames is on."),
            ],
            hidden=[io.Hidden.unique_id, io.Hidden.dynprompt],
        )

    @classmethod
    def execute(
        cls,
        portrait: Any,
        motion: Any,
        return_frames: bool,
        audio: Any = None,
        face_landmarks: Any = None,
        **settings: Any,
    ) -> io.NodeOutput:
        from ..host.returned_frames import check_frames_are_returned, frames_or_blocker
        from ..host.video import temporary_video
        from .animating import Animation, PortraitSettings

        if not return_frames:
            check_frames_are_returned(cls.hidden)
        animation = Animation.of(portrait, motion, audio, face_landmarks, PortraitSettings(**settings))
        path, frames = animation.write(keep_frames=return_frames)
        return io.NodeOutput(temporary_video(path), frames_or_blocker(frames, "Animate Portrait"))
