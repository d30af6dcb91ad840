"""EMOGuide: drawn frames that the network repairs, for models with a guide."""

from typing import Any

from comfy_api.latest import io

from ..host.schema import schema
from .sockets import CATEGORY, EmoGuide


class EMOGuide(io.ComfyNode):
    """Encode drawn frames."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            CATEGORY,
            node_id="EMOGuide",
            display_name="Guide Frames (EMO)",
            description=(
                "Frames whose mouth the network repairs in place of inventing everything: the portrait, moved by Animate Portrait with the same "
                "sound. Then head, gaze, lids and emotion are those of the face motion. For checkpoints with a guide (emo-mini-few)."
            ),
            search_aliases=["emo guide", "drawn frames", "image to image", "controlnet", "driving video"],
            inputs=[
                io.Image.Input(
                    "frames",
                    tooltip=(
                        "Of Animate Portrait, which gets the crop of Face Locator Mask and the crop's size, with return_frames on. One for "
                        "each frame of the video."
                    ),
                ),
                io.Vae.Input("vae", tooltip="From EMO Model Loader."),
            ],
            outputs=[
                EmoGuide.Output(
                    "emo_guide", display_name="emo_guide", tooltip="To EMO Sampler or Motion Frame Chainer."
                )
            ],
        )

    @classmethod
    def execute(cls, frames: Any, vae: Any) -> io.NodeOutput:
        from ..host.images import to_uint8
        from .guiding import Guide

        return io.NodeOutput(Guide(to_uint8(frames), vae.encode(frames[..., :3])))
