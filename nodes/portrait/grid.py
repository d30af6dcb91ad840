"""VideoGrid: several videos -> one with all of them side by side."""

from typing import Any

from comfy_api.latest import io

from ..host.schema import schema
from .sockets import CATEGORY


class VideoGrid(io.ComfyNode):
    """Put videos side by side."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            CATEGORY,
            node_id="EMOVideoGrid",
            display_name="Video Grid",
            description=(
                "Puts a list of videos side by side into one, with their names under them. It plays as long as the shortest, with "
                "the sound of the first. The videos are read frame by frame and not kept in memory."
            ),
            search_aliases=["side by side", "tile videos", "compare videos", "contact sheet", "mosaic"],
            is_input_list=True,
            inputs=[
                io.Video.Input(
                    "videos", tooltip="A list, such as that of Animate Portrait behind Every Emotion. All of one size."
                ),
                io.String.Input(
                    "names",
                    optional=True,
                    force_input=True,
                    tooltip="Their names, a list, such as that of Every Emotion. Not wired: no names are written.",
                ),
                io.Int.Input("columns", default=4, min=1, max=16, tooltip="Number of videos in a row."),
            ],
            outputs=[io.Video.Output("video", display_name="video", tooltip="The video: to Save Video.")],
        )

    @classmethod
    def execute(cls, videos: list[Any], columns: list[int], names: list[str] | None = None) -> io.NodeOutput:
        from ..host.video import temporary_video
        from .tiling import tile

        return io.NodeOutput(temporary_video(tile(videos, names, columns[0])))
