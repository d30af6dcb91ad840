"""EmotionFromVoice: a voice -> a curve of emotions to edit."""

from typing import Any

from comfy_api.latest import io

from ..host.inputs import excerpt_inputs
from ..host.schema import schema
from .emotion import emotion_output, strength_input
from .sockets import CATEGORY


class EmotionFromVoice(io.ComfyNode):
    """Propose emotions for a voice."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            CATEGORY,
            node_id="EmotionFromVoice",
            display_name="Emotion from Voice",
            description=(
                "Proposes emotions for a voice, by rules on loudness, pitch and rate of each phrase; nothing is learnt. A voice "
                "tells excitement well, and pleasure badly: read the curve, edit it, and paste it into Emotion Condition."
            ),
            search_aliases=["emotion recognition", "voice emotion", "speech emotion", "detect emotion", "prosody"],
            inputs=[
                io.Audio.Input("audio", tooltip="From Load Audio: the voice that is wired to Speech to Face Motion."),
                strength_input("Factor of all strengths: 1 as proposed, 0 a neutral face."),
                *excerpt_inputs("sound"),
            ],
            outputs=[
                emotion_output("The proposal: to Speech to Face Motion."),
                io.String.Output(
                    "curve_text",
                    display_name="curve",
                    tooltip="The same as text: to Preview Any, or to the curve of Emotion Condition.",
                ),
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def execute(cls, audio: Any, strength: float, start: float, duration: float) -> io.NodeOutput:
        from ...emo_core.emote.voice_emotion import propose
        from ..host.audio import heard, to_track
        from ..host.shown_text import show_text

        curve = propose(heard(to_track(audio).part(start, duration or None)), strength=strength)
        show_text(cls.hidden, str(curve))
        return io.NodeOutput(curve, str(curve))
