"""AdjustFaceMotion: more or less of mouth, head, brows, blinks and gaze, over time."""

from typing import Any

from comfy_api.latest import io

from ..host.schema import schema
from .sockets import CATEGORY, FaceMotion

PARTS = {
    "mouth": ("the movements of lips and jaw", ""),
    "head": ("the turns and shifts of the head", ""),
    "brows": ("the movements of the brows", ""),
    "blinks": ("the blinks", " Below 1 the eyes do not close wholly."),
    "gaze": ("the movements of the eyes", ""),
}
"""The movements that each amount scales, and a note."""
EXAMPLE = "0:0, 2:1, 5:1.5"


class AdjustFaceMotion(io.ComfyNode):
    """Scale and smooth a face motion."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            CATEGORY,
            node_id="AdjustFaceMotion",
            display_name="Adjust Face Motion",
            description=(
                "Makes the movements of mouth, head, brows, lids and eyes larger or smaller, as one amount or as a curve over "
                "time, and smooths them. 1 leaves a movement as it is, 0 takes it away."
            ),
            search_aliases=["face motion curve", "head motion amount", "exaggerate", "smooth motion", "emo motion"],
            inputs=[
                FaceMotion.Input(
                    "motion", tooltip="From Speech to Face Motion, Face Motion from Video or Load Face Motion."
                ),
                *(
                    io.String.Input(
                        name,
                        default="1",
                        placeholder=EXAMPLE,
                        tooltip=(
                            f"Amount of {movements}: one number from 0 to 3, or seconds:amount pairs such as {EXAMPLE}, "
                            f"interpolated linearly.{note}"
                        ),
                    )
                    for name, (movements, note) in PARTS.items()
                ),
                io.Float.Input(
                    "smoothing",
                    default=0.0,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    tooltip="Smoothing over time, in seconds; 0 is none, 0.04 takes tremble away. Blinks stay sharp.",
                ),
            ],
            outputs=[
                FaceMotion.Output(
                    "adjusted_motion", display_name="motion", tooltip="The adjusted motion: to Animate Portrait."
                )
            ],
        )

    @classmethod
    def execute(cls, motion: Any, smoothing: float, **amounts: str) -> io.NodeOutput:
        from ...emo_core.curve import Curve
        from ...emo_core.face.motion_adjust import Adjustment, adjusted

        curves = {name: Curve.parse(text.strip() or "1", name) for name, text in amounts.items()}
        return io.NodeOutput(adjusted(motion, Adjustment(**curves, smoothing=smoothing)))
