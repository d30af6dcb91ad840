"""FaceMotionFromVideo: a filmed performance -> face motion."""

from typing import Any

from comfy_api.latest import io

from ..host.inputs import POINTS_ARE_NEEDED, excerpt_inputs, face_index_input, landmarks_input
from ..host.schema import schema
from .sockets import CATEGORY, FaceMotion


class FaceMotionFromVideo(io.ComfyNode):
    """Read expression and head pose of a filmed face."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            CATEGORY,
            node_id="FaceMotionFromVideo",
            display_name="Face Motion from Video",
            description=(
                "Reads mouth, brows, blinks, gaze and head motion of a filmed face, so that a portrait can repeat the "
                "performance. The film is read frame by frame and not kept in memory."
            ),
            search_aliases=["motion capture", "face tracking", "drive by video", "reenactment", "performance capture"],
            inputs=[
                io.Video.Input(
                    "video", optional=True, tooltip="From Load Video: a film of one person, seen from the front."
                ),
                io.Image.Input(
                    "images",
                    optional=True,
                    tooltip="A batch of frames in place of `video`, such as those of Get Video Components.",
                ),
                landmarks_input(
                    "all frames", f"{POINTS_ARE_NEEDED} Wire the frames to `images`, or the film to `video`."
                ),
                io.Float.Input(
                    "fps",
                    default=25.0,
                    min=1.0,
                    max=240.0,
                    step=0.01,
                    tooltip="Frames per second of `images`. A `video` has its own rate.",
                ),
                face_index_input(
                    7, note=" It is chosen in the first frame that has so many faces and tracked from there."
                ),
                *excerpt_inputs("film"),
            ],
            outputs=[
                FaceMotion.Output("motion", display_name="motion", tooltip="The face motion: to Animate Portrait."),
                io.Audio.Output(
                    "film_audio",
                    display_name="audio",
                    tooltip="The film's sound: to Animate Portrait. Empty for a silent film.",
                ),
            ],
        )

    @classmethod
    def execute(
        cls,
        fps: float,
        face_index: int,
        start: float,
        duration: float,
        video: Any = None,
        images: Any = None,
        face_landmarks: Any = None,
    ) -> io.NodeOutput:
        from ..host.film import Part, open_film
        from .watching import watch

        with open_film(video, images, fps, Part(start, duration or None)) as film:
            return io.NodeOutput(*watch(film, face_landmarks, face_index))
