"""Text on a node."""

import sys
from typing import Any


def show_text(hidden: Any, text: str) -> None:
    """Show text on the node that runs. Does nothing where no server runs, or the host does not know the node's number.

    Args:
        hidden: the node's hidden inputs, with `unique_id`.
        text: replaces what the node has shown before.
    """
    server = getattr(getattr(sys.modules.get("server"), "PromptServer", None), "instance", None)
    if hasattr(server, "send_progress_text") and hidden is not None and hidden.unique_id is not None:
        server.send_progress_text(text, hidden.unique_id)
