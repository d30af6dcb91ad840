"""PreviewFaceMotion: the rig's face drawn in motion."""

from typing import Any

from comfy_api.latest import io, ui

from ..host.menus import check_choices
from ..host.schema import schema
from .sockets import CATEGORY, FaceMotion

STYLES = ["shaded", "mesh", "contours"]


class PreviewFaceMotion(io.ComfyNode):
    """Draw a face motion without a portrait."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            CATEGORY,
            node_id="PreviewFaceMotion",
            display_name="Preview Face Motion",
            description=(
                "Draws the face rig in motion, without a portrait: to check a motion quickly, or as a control video for other "
                "models. After a run the node shows frames of the whole motion."
            ),
            search_aliases=["draw face mesh", "face rig", "control video", "landmark video", "emo preview"],
            is_output_node=True,
            inputs=[
                FaceMotion.Input(
                    "motion", tooltip="From Speech to Face Motion, Face Motion from Video or Load Face Motion."
                ),
                io.Int.Input("size", default=384, min=64, max=2048, step=8, tooltip="Side of the pictures in pixels."),
                io.Combo.Input(
                    "style",
                    options=STYLES,
                    default="shaded",
                    tooltip=(
                        "shaded: a lit surface. mesh: all edges of the rig. contours: lips, eyes, brows and outline alone."
                    ),
                ),
            ],
            outputs=[
                io.Image.Output("frames", display_name="frames", tooltip="One picture per frame: to Create Video."),
                io.Float.Output("motion_fps", display_name="fps", tooltip="The motion's frame rate: to Create Video."),
            ],
        )

    @classmethod
    def validate_inputs(cls, style: str | None = None) -> bool | str:
        """Check the menu."""
        return check_choices(style=(style, STYLES))

    @classmethod
    def execute(cls, motion: Any, size: int, style: str) -> io.NodeOutput:
        from .previewing import draw, overview

        frames = draw(motion, size, style)
        return io.NodeOutput(frames, float(motion.fps), ui=ui.PreviewImage(overview(frames), cls=cls))
