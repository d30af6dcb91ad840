"""Names of the coefficients of a moving face: ARKit's 52 blend shapes without tongueOut, which no landmark shows.

Left and right are the person's own. A curve is found by its name, never by its place: every program orders them differently.
"""

NAMES = (
    *(f"eye{part}Left" for part in ("Blink", "LookDown", "LookIn", "LookOut", "LookUp", "Squint", "Wide")),
    *(f"eye{part}Right" for part in ("Blink", "LookDown", "LookIn", "LookOut", "LookUp", "Squint", "Wide")),
    "jawForward",
    "jawLeft",
    "jawRight",
    "jawOpen",
    "mouthClose",
    "mouthFunnel",
    "mouthPucker",
    "mouthLeft",
    "mouthRight",
    "mouthSmileLeft",
    "mouthSmileRight",
    "mouthFrownLeft",
    "mouthFrownRight",
    "mouthDimpleLeft",
    "mouthDimpleRight",
    "mouthStretchLeft",
    "mouthStretchRight",
    "mouthRollLower",
    "mouthRollUpper",
    "mouthShrugLower",
    "mouthShrugUpper",
    "mouthPressLeft",
    "mouthPressRight",
    "mouthLowerDownLeft",
    "mouthLowerDownRight",
    "mouthUpperUpLeft",
    "mouthUpperUpRight",
    "browDownLeft",
    "browDownRight",
    "browInnerUp",
    "browOuterUpLeft",
    "browOuterUpRight",
    "cheekPuff",
    "cheekSquintLeft",
    "cheekSquintRight",
    "noseSneerLeft",
    "noseSneerRight",
)
"""51 names in Apple's order."""
MOUTH = tuple(name for name in NAMES if name.startswith(("jaw", "mouth", "cheekPuff")))
"""Curves of lips and jaw: speech makes them."""
BLINK = ("eyeBlinkLeft", "eyeBlinkRight")
LOOK = tuple(name for name in NAMES if name.startswith("eyeLook"))
BROW = tuple(name for name in NAMES if name.startswith("brow"))
UPPER = tuple(name for name in NAMES if name not in MOUTH)
"""Curves of lids, eyes, brows, cheeks and nose."""
GAZE_DEGREES = 30.0
"""Degrees that an eye turns where an eyeLook curve is 1."""


def mirrored(name: str) -> str:
    """The name of the same movement on the other side of the face."""
    if name.endswith("Left"):
        return name.removesuffix("Left") + "Right"
    return name.removesuffix("Right") + "Left" if name.endswith("Right") else name
