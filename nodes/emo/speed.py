"""SpeedCondition: one head speed, or a curve over time."""

from typing import Any

from comfy_api.latest import io

from ..host.schema import schema
from .sockets import CATEGORY, EmoModel, EmoSpeed


class SpeedCondition(io.ComfyNode):
    """Set the head rotation speed."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            CATEGORY,
            node_id="SpeedCondition",
            display_name="Speed Condition (EMO)",
            description=(
                "Sets the head rotation speed for the paper's speed layers. It is a weak control: it changes the rhythm of "
                "the motion, not the path. Wire `info` to Preview Any to show the checkpoint's training range."
            ),
            search_aliases=["head speed", "head motion", "movement", "emo speed"],
            inputs=[
                EmoModel.Input("model", tooltip="From EMO Model Loader: its speed range and unit are used."),
                io.Float.Input(
                    "speed",
                    default=0.2,
                    min=0.0,
                    max=20.0,
                    step=0.01,
                    tooltip=(
                        "Head rotation speed in the checkpoint's unit. emo-mini: degrees per frame, trained for 0 .. 0.52; 0 is "
                        "the stillest, 0.52 the fastest head."
                    ),
                ),
                io.String.Input(
                    "curve",
                    default="",
                    multiline=True,
                    placeholder="calm, or 0:calm, 1.5:active, 3:0.1",
                    tooltip=(
                        "In place of `speed`: calm (0.1), normal (0.25) or active (0.5), or seconds:speed pairs of words or numbers, "
                        "interpolated linearly. Example: 0:0, 1.5:active, 3:0.1 starts still, is fastest at 1.5 s, then slows down."
                    ),
                ),
            ],
            outputs=[
                EmoSpeed.Output(
                    "emo_speed", display_name="emo_speed", tooltip="To EMO Sampler or Motion Frame Chainer."
                ),
                io.String.Output(
                    "info", display_name="info", tooltip="The checkpoint's speed range and unit: to Preview Any."
                ),
            ],
        )

    @classmethod
    def execute(cls, model: Any, speed: float, curve: str) -> io.NodeOutput:
        from ...emo_core.emo.conditions.speed_curve import SpeedCurve

        config = model.config.speed
        speeds = (SpeedCurve.parse(curve) if curve.strip() else SpeedCurve.constant(speed)).check(config)
        low, high = config.range
        text = f"{min(speeds.speeds):g} .. {max(speeds.speeds):g}; {model.name} was trained for {low:g} .. {high:g} {config.unit}"
        return io.NodeOutput(speeds, text)
