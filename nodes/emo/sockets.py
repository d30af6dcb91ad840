"""Category and socket types of the EMO nodes."""

from comfy_api.latest import io

CATEGORY = "EMO"

EmoModel = io.Custom("EMO_MODEL")
"""A `model.EmoModel`: network, audio encoder, VAE."""
EmoAudio = io.Custom("EMO_AUDIO")
"""An `emo_core.audio.voice.Voice`: audio features of every frame, and the sound."""
EmoCrop = io.Custom("EMO_CROP")
"""An `emo_core.face.crop.Crop`: the square that was cut out of the picture."""
EmoFace = io.Custom("EMO_FACE")
"""A `face_locator.FaceDetails`: audio regions, their weights, and the face embedding."""
EmoSpeed = io.Custom("EMO_SPEED")
"""An `emo_core.emo.conditions.speed.SpeedCurve`."""
EmoGuide = io.Custom("EMO_GUIDE")
"""A `guiding.Guide`: drawn frames that the network repairs."""
EmoMotion = io.Custom("EMO_MOTION")
"""An `emo_core.emo.sampling.clips.MotionFrames`: the last frames of a clip, and the clips up to it."""
