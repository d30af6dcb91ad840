"""An IMAGE output that holds all frames of a video only if the user asks for them."""

from typing import Any

from comfy_execution.graph_utils import ExecutionBlocker
from torch import Tensor

from ...emo_core.errors import InputError
from .graph import consumer_of

FRAMES_SLOT = 1
"""Number of the output `frames`, after the video."""


def check_frames_are_returned(hidden: Any, slot: int = FRAMES_SLOT) -> None:
    """Check a node without return_frames, before it generates anything; `slot` is the number of an output that needs it.

    Raises:
        InputError: if a node that runs reads its frames.
    """
    consumer = consumer_of(hidden.dynprompt, hidden.unique_id, slot)
    if consumer is not None:
        raise InputError(
            f"return_frames: is off, but {consumer} reads `frames`; turn return_frames on, or remove the wire from `frames`"
        )


def frames_or_blocker(frames: Tensor | None, node: str) -> Tensor | ExecutionBlocker:
    """The frames, or if the node did not keep them, a blocker that stops the nodes wired to them with a message."""
    if frames is not None:
        return frames
    return ExecutionBlocker(f"turn on return_frames of {node} to use its frames")
