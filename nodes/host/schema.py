"""What the nodes' schemas share: the pack's own socket types, its category, fields that only newer hosts know."""

import dataclasses
from typing import Any

from comfy_api.latest import io

EmoModel = io.Custom("EMO_MODEL")
"""A `model.EmoModel`: network, audio encoder, VAE."""
EmoAudio = io.Custom("EMO_AUDIO")
"""An `emo_core.audio.voice.Voice`: features for every frame, and the sound itself."""
EmoCrop = io.Custom("EMO_CROP")
"""An `emo_core.face.crop.Crop`: which square of the picture was cut out."""
EmoFace = io.Custom("EMO_FACE")
"""A `portrait.FaceDetails`: where the voice acts on the picture, how strongly, and whose face it is."""
EmoSpeed = io.Custom("EMO_SPEED")
"""An `emo_core.emo.conditions.speed.SpeedCurve`."""
EmoMotion = io.Custom("EMO_MOTION")
"""An `emo_core.emo.sampling.clips.MotionFrames`: the last frames of a clip, and the clips up to it."""

KNOWN = {field.name for field in dataclasses.fields(io.Schema)}


def schema(**fields: Any) -> io.Schema:
    """A node's schema in the pack's category; fields that this host does not know yet are left out."""
    return io.Schema(category="EMO", **{name: value for name, value in fields.items() if name in KNOWN})
