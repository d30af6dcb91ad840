"""Sentences that the notes of several workflows share."""

HELP = "Select a node and press its *i* button for its help page."
EXAMPLES = (
    "*Portrait* and *Voice* show the pack's example files. If one is missing, choose a file of your own, or copy the pack's folder "
    "**assets** into ComfyUI's folder **input**."
)
POINTS = (
    "The face points come from MediaPipe if ComfyUI's Python has it. Otherwise wire *Detect Face Landmarks* of newer versions of "
    "ComfyUI to **face_landmarks**."
)
CONSENT = "Animate only people who agreed to it."
