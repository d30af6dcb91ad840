"""EveryEmotion: all emotions one after another, as a list."""

from comfy_api.latest import io

from ..host.schema import schema
from .emotion import strength_input
from .sockets import CATEGORY, EmoEmotion


class EveryEmotion(io.ComfyNode):
    """Let the nodes behind run once per emotion."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            CATEGORY,
            node_id="EveryEmotion",
            display_name="Every Emotion",
            description=(
                "Gives all eight emotions as a list. Nodes behind it run once for each: wire it to Speech to Face Motion, and the "
                "videos of Animate Portrait to Video Grid, to see them side by side."
            ),
            search_aliases=["all emotions", "emotion list", "expression sheet", "compare emotions", "emo emotion"],
            inputs=[strength_input("Strength of each emotion: 1 is the full emotion. Neutral has none.")],
            outputs=[
                EmoEmotion.Output(
                    "emo_emotion",
                    display_name="emotion",
                    tooltip="A list: to Speech to Face Motion.",
                    is_output_list=True,
                ),
                io.String.Output(
                    "names", display_name="names", tooltip="Their names, a list: to Video Grid.", is_output_list=True
                ),
            ],
        )

    @classmethod
    def execute(cls, strength: float) -> io.NodeOutput:
        from ...emo_core.emotion import EMOTIONS, EmotionCurve

        return io.NodeOutput([EmotionCurve.constant(name, strength) for name in EMOTIONS], list(EMOTIONS))
