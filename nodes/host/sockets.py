"""Socket types of the host that `comfy_api` does not name."""

from comfy_api.latest import io

FaceLandmarks = io.Custom("FACE_LANDMARKS")
"""The faces that ComfyUI's Detect Face Landmarks finds; older hosts have no node that gives it."""
