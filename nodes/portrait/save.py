"""SaveFaceMotion: a face motion -> a file in the output folder."""

from typing import Any

from comfy_api.latest import io

from ..host.schema import schema
from .folders import SAVED
from .sockets import CATEGORY, FaceMotion


class SaveFaceMotion(io.ComfyNode):
    """Write a face motion."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            CATEGORY,
            node_id="SaveFaceMotion",
            display_name="Save Face Motion",
            description=(
                "Writes a face motion as a safetensors file to ComfyUI's output folder. Load Face Motion and the command line read "
                "it: one performance can drive many portraits."
            ),
            search_aliases=["export face motion", "save motion", "motion file", "emo save"],
            is_output_node=True,
            inputs=[
                FaceMotion.Input(
                    "motion", tooltip="From Speech to Face Motion, Face Motion from Video or Adjust Face Motion."
                ),
                io.String.Input(
                    "filename_prefix",
                    default=f"{SAVED}/motion",
                    tooltip="Folder and start of the file's name, as in Save Image. A number and .safetensors are added.",
                ),
            ],
            outputs=[
                io.String.Output("path", display_name="path", tooltip="The written file: to Load Face Motion's path.")
            ],
        )

    @classmethod
    def execute(cls, motion: Any, filename_prefix: str) -> io.NodeOutput:
        from ...emo_core.face.motion_file import SUFFIX, save_motion
        from ..host.folders import next_output

        path = next_output(filename_prefix, SUFFIX)
        save_motion(motion, path)
        return io.NodeOutput(str(path))
