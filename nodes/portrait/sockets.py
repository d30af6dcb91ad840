"""Category and socket type of the face motion nodes."""

from comfy_api.latest import io

CATEGORY = "EMO/face motion"

FaceMotion = io.Custom("FACE_MOTION")
"""An `emo_core.face.motion.FaceMotion`: expression, gaze and head pose of every frame."""
EmoEmotion = io.Custom("EMO_EMOTION")
"""An `emo_core.emotion.EmotionCurve`: the strength of each emotion over time."""
