"""SpeedCondition: one head speed, or a curve over time."""

from typing import Any

from comfy_api.latest import io

from ..host.schema import EmoModel, EmoSpeed, schema


class SpeedCondition(io.ComfyNode):
    """Say how fast the head moves."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="SpeedCondition",
            display_name="Speed Condition (EMO)",
            description=(
                "How fast the head turns, as the paper's speed layers take it. A weak control: it sets the rhythm, not the "
                "path. Wire `info` to Preview Any to see the range that the checkpoint was trained for."
            ),
            search_aliases=["head speed", "head motion", "movement", "emo speed"],
            inputs=[
                EmoModel.Input("model", tooltip="From EMO Model Loader: it knows the range and the unit."),
                io.Float.Input(
                    "speed",
                    default=0.2,
                    min=0.0,
                    max=20.0,
                    step=0.01,
                    tooltip=(
                        "Head rotation in the checkpoint's unit (emo-mini: degrees per frame, trained for 0 .. 0.52). 0 is the "
                        "stillest head, 0.26 the middle of that range, 0.52 its fastest."
                    ),
                ),
                io.String.Input(
                    "curve",
                    default="",
                    multiline=True,
                    placeholder="0:0, 1.5:0.4, 3:0.1",
                    tooltip=(
                        "Speed over time instead of one value: seconds:speed pairs, straight lines between them. "
                        "Example: 0:0, 1.5:0.4, 3:0.1 starts still, is fastest at 1.5 s, then calms down."
                    ),
                ),
            ],
            outputs=[
                EmoSpeed.Output(
                    "emo_speed", display_name="emo_speed", tooltip="To EMO Sampler or Motion Frame Chainer."
                ),
                io.String.Output(
                    "info", display_name="info", tooltip="The checkpoint's range and unit: to Preview Any."
                ),
            ],
        )

    @classmethod
    def execute(cls, model: Any, speed: float, curve: str) -> io.NodeOutput:
        from ...emo_core.emo.conditions.speed import SpeedCurve

        config = model.config.speed
        found = (SpeedCurve.parse(curve) if curve.strip() else SpeedCurve.constant(speed)).check(config)
        low, high = config.range
        text = f"{min(found.speeds):g} .. {max(found.speeds):g}; {model.name} was trained for {low:g} .. {high:g} {config.unit}"
        return io.NodeOutput(found, text)
