"""The public names of `comfy_api.latest` that the nodes use."""

from . import _io as io
from . import _ui as ui

__all__ = ["ComfyExtension", "InputImpl", "io", "ui"]


class ComfyExtension:
    async def get_node_list(self):
        raise NotImplementedError


class VideoFromFile:
    def __init__(self, file):
        self._file = file

    def get_stream_source(self):
        return self._file


class InputImpl:
    VideoFromFile = VideoFromFile
