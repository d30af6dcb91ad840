"""SpeechToFaceMotion: a voice -> face motion."""

from typing import Any

from comfy_api.latest import io

from ..host.inputs import emotion_style_input, excerpt_inputs, file_state, fps_input, loudness_input
from ..host.menus import check_choices
from ..host.schema import schema
from .folders import BUILT_IN, STYLE, speech_model_path, speech_models, styles
from .sockets import CATEGORY, EmoEmotion, FaceMotion

MAX_SEED = 0xFFFF_FFFF_FFFF_FFFF
AMOUNTS = {
    "mouth": "Amount of the movements of lips and jaw",
    "head": "Amount of the head motion",
    "brows": "Amount of the movements of the brows",
    "blinks": "Number of blinks over the usual",
    "gaze": "Amount of the movements of the eyes",
}


class SpeechToFaceMotion(io.ComfyNode):
    """Let a face speak."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            CATEGORY,
            node_id="SpeechToFaceMotion",
            display_name="Speech to Face Motion",
            description=(
                "Makes the motion of a speaking face from a voice: lips and jaw, blinks, brows, gaze and head, with an emotion if one is "
                "wired. The model comes with the pack. Wire the motion to Animate Portrait. Any length, any language."
            ),
            search_aliases=["lip sync", "talking head", "talking portrait", "audio driven face", "emote", "audio2face"],
            inputs=[
                io.Audio.Input("audio", tooltip="From Load Audio: a voice. Any sample rate, mono or stereo."),
                io.Combo.Input(
                    "model",
                    options=speech_models(),
                    default=BUILT_IN,
                    tooltip="The built-in model, or one in models/emo.",
                ),
                io.Combo.Input(
                    "style",
                    options=styles(),
                    default=STYLE,
                    tooltip="Way of speaking. The average suits every voice; the others are those of the model's speakers.",
                ),
                io.Int.Input(
                    "seed",
                    default=0,
                    min=0,
                    max=MAX_SEED,
                    control_after_generate=True,
                    tooltip="The same seed gives the same motion. Another seed changes head, brows, blinks and gaze, not the lips.",
                ),
                io.String.Input(
                    "speed",
                    default="0.25",
                    placeholder="calm, or 0:calm, 1.5:active, 3:0.1",
                    tooltip=(
                        "Head rotation speed: calm (0.1 degrees per frame at 25 fps), normal (0.25), active (0.5), a number (0 is the "
                        "stillest head), or seconds:speed pairs such as 0:0, 1.5:active, 3:0.1."
                    ),
                ),
                *(
                    io.Float.Input(
                        name, default=1.0, min=0.0, max=3.0, step=0.05, tooltip=f"{meaning}: 1 is natural, 0 is none."
                    )
                    for name, meaning in AMOUNTS.items()
                ),
                fps_input(25.0, 1.0, "Frames per second of the motion, and of the video."),
                *excerpt_inputs("sound"),
                loudness_input("model"),
                EmoEmotion.Input(
                    "emotion",
                    optional=True,
                    tooltip="From Emotion Condition or Emotion from Voice. Not wired: the face speaks without emotion.",
                ),
                emotion_style_input(),
            ],
            outputs=[
                FaceMotion.Output("motion", display_name="motion", tooltip="The face motion: to Animate Portrait."),
                io.Audio.Output("spoken_audio", display_name="audio", tooltip="The excerpt: to Animate Portrait."),
            ],
        )

    @classmethod
    def validate_inputs(cls, model: str | None = None, style: str | None = None) -> bool | str:
        """Check the menus."""
        return check_choices(model=(model, speech_models()), style=(style, styles()))

    @classmethod
    def fingerprint_inputs(cls, model: str | None = None, **_: Any) -> int:
        """Time of change of the model, so that a new file of the same name is read again."""
        return file_state(speech_model_path(model))[1] if model in speech_models() else 0

    @classmethod
    def execute(
        cls, audio: Any, model: str, fps: float, start: float, duration: float, loudness: float, **settings: Any
    ) -> io.NodeOutput:
        from ...emo_core.audio.voice import Excerpt
        from .speaking import SpeechSettings, speak_audio

        excerpt = Excerpt(fps=fps, start=start, seconds=duration or None, loudness=loudness)
        return io.NodeOutput(*speak_audio(audio, speech_model_path(model), excerpt, SpeechSettings(**settings)))
