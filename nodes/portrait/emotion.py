"""EmotionCondition: an emotion, or a curve of emotions over time."""

from comfy_api.latest import io

from ...emo_core.emotion import EMOTIONS, EXPRESSIVE, STRONGEST
from ..host.menus import check_choices, require_choice
from ..host.schema import schema
from .sockets import CATEGORY, EmoEmotion

ALONE = "none"
"""Choice of the second emotion: there is none."""
EXAMPLE = "0:neutral, 1.5:happy@0.8"


def strength_input(tooltip: str) -> io.Input:
    """Strength of an emotion."""
    return io.Float.Input("strength", default=1.0, min=0.0, max=STRONGEST, step=0.05, tooltip=tooltip)


def emotion_output(tooltip: str) -> io.Output:
    """The curve as a socket."""
    return EmoEmotion.Output("emo_emotion", display_name="emotion", tooltip=tooltip)


class EmotionCondition(io.ComfyNode):
    """Set what a face shows while it speaks."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            CATEGORY,
            node_id="EmotionCondition",
            display_name="Emotion Condition",
            description=(
                "Sets what a face shows while it speaks: one emotion with its strength, a blend of two, or a curve over time. "
                "What is said does not change. Wire it to Speech to Face Motion."
            ),
            search_aliases=["emotion", "facial expression", "happy", "sad", "angry", "mood", "emo emotion"],
            inputs=[
                io.Combo.Input("emotion", options=list(EMOTIONS), default="happy", tooltip="What the face shows."),
                strength_input(
                    f"Strength of it: 0 is a neutral face, 1 the full emotion, {STRONGEST:g} the most. It multiplies the strengths of a curve."
                ),
                io.Combo.Input(
                    "second",
                    options=[ALONE, *EXPRESSIVE],
                    default=ALONE,
                    tooltip="An emotion to blend with the first one, such as happy with surprise. none: no second emotion.",
                ),
                io.Float.Input(
                    "share",
                    default=0.5,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    tooltip="Share of the second emotion; the first one has the rest.",
                ),
                io.String.Input(
                    "curve",
                    default="",
                    multiline=True,
                    placeholder=EXAMPLE,
                    tooltip=(
                        "Emotions over time, in place of the two above: seconds:emotion points, linear between them. "
                        "0:neutral, 1.5:happy becomes happy within 1.5 s. The help page shows strengths and blends."
                    ),
                ),
            ],
            outputs=[
                emotion_output("To Speech to Face Motion."),
                io.String.Output("curve_text", display_name="curve", tooltip="The curve as text: to Preview Any."),
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def validate_inputs(cls, emotion: str | None = None, second: str | None = None) -> bool | str:
        """Check the menus."""
        return check_choices(emotion=(emotion, EMOTIONS), second=(second, [ALONE, *EXPRESSIVE]))

    @classmethod
    def execute(cls, emotion: str, strength: float, second: str, share: float, curve: str) -> io.NodeOutput:
        from ...emo_core.emotion import EmotionCurve
        from ..host.shown_text import show_text

        text = curve.strip() or _blend(emotion, require_choice("second", second, [ALONE, *EXPRESSIVE]), share)
        made = EmotionCurve.parse(text, strength)
        show_text(cls.hidden, str(made))
        return io.NodeOutput(made, str(made))


def _blend(emotion: str, second: str, share: float) -> str:
    """Text of one point."""
    if second in (ALONE, emotion):
        return emotion
    return f"0:{emotion}@{1 - share:g}+{second}@{share:g}"
