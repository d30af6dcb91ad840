"""EMOAvatarSpeak: an avatar and a voice, or a face motion -> a video."""

from typing import Any

from comfy_api.latest import io

from ..host.inputs import emotion_style_input, excerpt_inputs
from ..host.menus import check_choices
from ..host.schema import advanced, schema
from ..portrait.sockets import EmoEmotion, FaceMotion
from .sockets import CATEGORY, EmoAvatar

HEADS = ["replay", "generated", "still"]
BACKGROUNDS = ["own", "colour", "transparent"]
MAX_SEED = 0xFFFF_FFFF_FFFF_FFFF


class EMOAvatarSpeak(io.ComfyNode):
    """Let an avatar speak."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            CATEGORY,
            node_id="EMOAvatarSpeak",
            display_name="Avatar Speak",
            description=(
                "Lets an avatar say a voice in the person's own way, or wear a face motion, and writes an mp4 at 25 frames per second. "
                "Any length, any language. Runs on a CPU."
            ),
            search_aliases=["talking avatar", "lip sync", "digital human", "talking head", "avatar video"],
            inputs=[
                EmoAvatar.Input("avatar", tooltip="From Avatar Loader or Avatar Trainer."),
                io.Audio.Input(
                    "audio",
                    optional=True,
                    tooltip="From Load Audio: a voice. With `motion` wired it is only the video's sound.",
                ),
                FaceMotion.Input(
                    "motion",
                    optional=True,
                    tooltip="From Speech to Face Motion or Face Motion from Video: the avatar wears it in place of its own way to speak.",
                ),
                EmoEmotion.Input(
                    "emotion",
                    optional=True,
                    tooltip="From Emotion Condition. A replayed head shows it with the mouth only; generated and still heads with the whole face.",
                ),
                io.Combo.Input(
                    "head",
                    options=HEADS,
                    default="replay",
                    tooltip=(
                        "replay: the film's own frames, forward and back, with a new mouth. generated: one frame, moved by the person's own "
                        "head motion as the voice asks for it. still: no head motion."
                    ),
                ),
                io.Combo.Input(
                    "background",
                    options=BACKGROUNDS,
                    default="own",
                    tooltip="own: the film's. colour: one colour. transparent: the video is black there, and `mask` has the person.",
                ),
                io.String.Input("colour", default="#00b140", tooltip="Of the background, as a name or #rrggbb."),
                io.Int.Input(
                    "seed",
                    default=0,
                    min=0,
                    max=MAX_SEED,
                    control_after_generate=True,
                    tooltip="The same seed gives the same video. Another one starts at another frame, or moves the head in another way.",
                ),
                *(
                    advanced(
                        io.Float.Input(
                            name, default=1.0, min=0.0, max=3.0, step=0.05, tooltip=f"{meaning}: 1 as filmed, 0 none."
                        )
                    )
                    for name, meaning in (
                        ("mouth", "Amount of the movements of the mouth"),
                        ("head_amount", "Amount of a generated head's motion"),
                        ("brows", "Amount of the movements of the brows, if the head is not replayed"),
                        ("blinks", "Number of blinks over the person's own, if the head is not replayed"),
                    )
                ),
                advanced(
                    io.Float.Input(
                        "enhance",
                        default=0.0,
                        min=0.0,
                        max=1.0,
                        step=0.05,
                        tooltip="Share of the mouth's fine detail that is taken from the person's real frames: 0 as drawn, 1 all.",
                    )
                ),
                *excerpt_inputs("sound"),
                io.Boolean.Input(
                    "return_frames",
                    default=False,
                    tooltip="Also return all frames, masks and edge pictures. Takes 40 MB per second at 256 x 256.",
                ),
                emotion_style_input(),
            ],
            outputs=[
                io.Video.Output("video", display_name="video", tooltip="The video with its sound: to Save Video."),
                io.Image.Output("frames", display_name="frames", tooltip="All frames, if return_frames is on."),
                io.Mask.Output(
                    "mask",
                    display_name="mask",
                    tooltip="The person in every frame, if return_frames is on; white if unknown.",
                ),
                io.Image.Output(
                    "edges",
                    display_name="edges",
                    tooltip="The drawing that conditions the mouth's network, if return_frames is on.",
                ),
            ],
            hidden=[io.Hidden.unique_id, io.Hidden.dynprompt],
        )

    @classmethod
    def validate_inputs(cls, head: str | None = None, background: str | None = None) -> bool | str:
        """Check the menus."""
        return check_choices(head=(head, HEADS), background=(background, BACKGROUNDS))

    @classmethod
    def execute(
        cls, avatar: Any, return_frames: bool, audio: Any = None, motion: Any = None, **settings: Any
    ) -> io.NodeOutput:
        from ..host.returned_frames import check_frames_are_returned, frames_or_blocker
        from ..host.video import temporary_video
        from .speaking import AvatarSpeech, SpeechInputs

        if not return_frames:
            for slot in (1, 2, 3):
                check_frames_are_returned(cls.hidden, slot)
        made = AvatarSpeech.of(avatar, SpeechInputs(audio, motion), settings).write(keep=return_frames)
        kept = (frames_or_blocker(part, "Avatar Speak") for part in (made.frames, made.masks, made.edges))
        return io.NodeOutput(temporary_video(made.path), *kept)
