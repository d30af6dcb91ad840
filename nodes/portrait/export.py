"""ExportFaceMotion: a face motion -> a file of another program."""

from typing import Any

from comfy_api.latest import io

from ..host.menus import check_choices
from ..host.schema import advanced, schema
from .folders import SAVED
from .sockets import CATEGORY, FaceMotion

FORMATS = {"Live Link Face CSV": ".csv", "GLB": ".glb", "JSON": ".json", "BVH": ".bvh"}
"""Suffixes by their choices."""
OWN_RATE = "as the motion"
RATES = [OWN_RATE, "24", "25", "30", "60"]


class ExportFaceMotion(io.ComfyNode):
    """Write a face motion for another program."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            CATEGORY,
            node_id="ExportFaceMotion",
            display_name="Export Face Motion",
            description=(
                "Writes a face motion for Blender, Unreal, Maya, Unity and web pages to ComfyUI's output folder: the 51 curves have "
                "ARKit's names. The node shows the path."
            ),
            search_aliases=["live link face", "arkit", "blendshapes", "blender", "unreal metahuman", "gltf", "bvh"],
            is_output_node=True,
            inputs=[
                FaceMotion.Input(
                    "motion", tooltip="From Speech to Face Motion, Face Motion from Video or Adjust Face Motion."
                ),
                io.Combo.Input(
                    "format",
                    options=list(FORMATS),
                    default="GLB",
                    tooltip=(
                        "Live Link Face CSV: curves and head as Apple's app records them. GLB: the face as a mesh with morph targets "
                        "and its animation. JSON: curves and head for scripts. BVH: the head alone."
                    ),
                ),
                io.Combo.Input(
                    "fps",
                    options=RATES,
                    default=OWN_RATE,
                    tooltip=f"Frames per second of the file. {OWN_RATE}: nothing is resampled.",
                ),
                advanced(
                    io.String.Input(
                        "timecode",
                        default="00:00:00:00",
                        tooltip=(
                            "Hours:minutes:seconds:frames of the first frame, to line the file up with other recordings. A BVH has "
                            "none."
                        ),
                    )
                ),
                io.String.Input(
                    "filename_prefix",
                    default=f"{SAVED}/export",
                    tooltip="Folder and start of the file's name, as in Save Image. A number and the suffix are added.",
                ),
            ],
            outputs=[
                io.String.Output("path", display_name="path", tooltip="The written file."),
                io.String.Output(
                    "model_file",
                    display_name="model_file",
                    tooltip="A GLB's name in the output folder: to ComfyUI's Preview 3D. Other formats stop there.",
                ),
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def validate_inputs(cls, format: str | None = None, fps: str | None = None) -> bool | str:
        """Check the menus."""
        return check_choices(format=(format, list(FORMATS)), fps=(fps, RATES))

    @classmethod
    def execute(cls, motion: Any, format: str, fps: str, timecode: str, filename_prefix: str) -> io.NodeOutput:
        from ..host.menus import require_choice
        from ..host.shown_text import show_text
        from .exporting import Export, export, model_file, shown

        rate = None if require_choice("fps", fps, RATES) == OWN_RATE else float(fps)
        suffix = FORMATS[require_choice("format", format, list(FORMATS))]
        path = export(motion, Export(suffix, rate, timecode, filename_prefix))
        show_text(cls.hidden, str(path))
        return io.NodeOutput(str(path), model_file(path), ui=shown(path))
