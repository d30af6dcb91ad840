"""LoadFaceMotion: a file -> a face motion."""

from comfy_api.latest import io

from ..host.inputs import file_state
from ..host.menus import check_choices
from ..host.schema import schema
from .folders import BY_PATH, motion_files, motion_path
from .sockets import CATEGORY, FaceMotion


class LoadFaceMotion(io.ComfyNode):
    """Read a face motion."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            CATEGORY,
            node_id="LoadFaceMotion",
            display_name="Load Face Motion",
            description=(
                "Reads a face motion that Save Face Motion or the command line has written: from ComfyUI's input or output folder, "
                "or by its path."
            ),
            search_aliases=["import face motion", "load motion", "motion file", "emo load"],
            inputs=[
                io.Combo.Input(
                    "file",
                    options=motion_files(),
                    tooltip=(
                        "A motion file in ComfyUI's input folder, or one that ends in [output] in its output folder. "
                        f"{BY_PATH}: the file that `path` names."
                    ),
                ),
                io.String.Input(
                    "path",
                    default="",
                    placeholder="face_motion/motion_00001_.safetensors",
                    tooltip=f"A motion file anywhere, or in the output folder. Used if `file` is {BY_PATH!r}.",
                ),
            ],
            outputs=[
                FaceMotion.Output("motion", display_name="motion", tooltip="The face motion: to Animate Portrait."),
                io.Float.Output("fps", display_name="fps", tooltip="Its frame rate."),
                io.Int.Output("frames", display_name="frames", tooltip="Its number of frames."),
            ],
        )

    @classmethod
    def validate_inputs(cls, file: str | None = None) -> bool | str:
        """Check the menu. None is still to come from another node."""
        return check_choices(file=(file, motion_files()))

    @classmethod
    def fingerprint_inputs(cls, file: str | None = None, path: str | None = None) -> tuple[str, int]:
        """Path and time of change, so that a new file of the same name is read again."""
        return file_state(motion_path(file or BY_PATH, path or ""))

    @classmethod
    def execute(cls, file: str, path: str) -> io.NodeOutput:
        from ...emo_core.face.motion_file import load_motion

        motion = load_motion(motion_path(file, path))
        return io.NodeOutput(motion, float(motion.fps), len(motion))
