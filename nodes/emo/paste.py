"""EMOPasteBack: paste the frames into the picture that the square was cut from."""

from typing import Any

from comfy_api.latest import io

from ..host.schema import schema
from .sockets import CATEGORY, EmoCrop


class EMOPasteBack(io.ComfyNode):
    """Animate a face inside its photo."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            CATEGORY,
            node_id="EMOPasteBack",
            display_name="EMO Paste Back",
            description=(
                "Pastes generated frames into the whole picture, with a soft edge. All frames are kept in memory: a "
                "4000 x 3000 photo takes 144 MB per frame, so scale large photos down first."
            ),
            search_aliases=["uncrop", "stitch", "composite face", "emo composite"],
            inputs=[
                io.Image.Input("frames", tooltip="From Motion Frame Chainer (return_frames on) or VAE Decode."),
                EmoCrop.Input("emo_crop", tooltip="From Face Locator Mask."),
                io.Image.Input("original", tooltip="The picture that is wired to Face Locator Mask."),
                io.Float.Input(
                    "feather",
                    default=0.08,
                    min=0.0,
                    max=0.5,
                    step=0.01,
                    tooltip="Width of the soft edge, as a share of the square's side.",
                ),
            ],
            outputs=[io.Image.Output("image", display_name="image", tooltip="Whole pictures: to Create Video.")],
        )

    @classmethod
    def execute(cls, frames: Any, emo_crop: Any, original: Any, feather: float) -> io.NodeOutput:
        from .pasting import paste_back

        return io.NodeOutput(paste_back(frames, emo_crop, original, feather))
