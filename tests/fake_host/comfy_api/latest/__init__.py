"""The public names of `comfy_api.latest` that the nodes use."""

from dataclasses import dataclass
from typing import Any

from . import _io as io
from . import _ui as ui

__all__ = ["ComfyExtension", "InputImpl", "Types", "io", "ui"]


class ComfyExtension:
    async def get_node_list(self):
        raise NotImplementedError


class VideoFromFile:
    def __init__(self, file):
        self._file = file

    def get_stream_source(self):
        return self._file


@dataclass
class VideoComponents:
    images: Any
    frame_rate: Any
    audio: Any = None


class VideoFromComponents:
    def __init__(self, components):
        self._components = components

    def get_components(self):
        return self._components


class InputImpl:
    VideoFromFile = VideoFromFile
    VideoFromComponents = VideoFromComponents


class Types:
    VideoComponents = VideoComponents
