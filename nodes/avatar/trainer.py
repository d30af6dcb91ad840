"""EMOAvatarTrainer: films of one person -> an avatar."""

from typing import Any

from comfy_api.latest import io

from ..host.menus import check_choices
from ..host.schema import schema
from .sockets import CATEGORY, EmoAvatar

SIZES = ["256", "512"]
"""Sides of the squares in pixels."""


class EMOAvatarTrainer(io.ComfyNode):
    """Learn a person from their films."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            CATEGORY,
            node_id="EMOAvatarTrainer",
            display_name="Avatar Trainer",
            description=(
                "Learns one person from minutes of film: how they look when they speak, how they articulate, how they move. The avatar is "
                "written to models/emo_avatars and then says anything. Cancel keeps what was learned; the same settings go on from "
                "there. Once it is trained, the node only loads it."
            ),
            search_aliases=[
                "train avatar",
                "digital human",
                "talking head training",
                "lip sync training",
                "motion gan",
            ],
            inputs=[
                io.Video.Input(
                    "video",
                    optional=True,
                    tooltip="From Load Video: three minutes or more of one person who speaks to the camera, with sound. Any fps and size.",
                ),
                io.String.Input(
                    "folder",
                    default="",
                    placeholder="/films/anna",
                    tooltip="A folder with clips of the same person, in place of `video`, or beside it.",
                ),
                io.String.Input("name", default="my-avatar", tooltip="Name of the avatar, and of its file."),
                io.Float.Input(
                    "minutes",
                    default=20.0,
                    min=0.1,
                    max=10_000.0,
                    step=0.5,
                    tooltip="Time for which the mouth's network learns, after the films are read. More time gives better teeth and lips.",
                ),
                io.Combo.Input(
                    "size",
                    options=SIZES,
                    default=SIZES[0],
                    tooltip="Side of the avatar's square in pixels. 512 needs sharper films and four times as long.",
                ),
                io.Boolean.Input(
                    "i_have_consent",
                    default=False,
                    tooltip="Confirm that the person agreed to this avatar. It is stored with the avatar. Nothing is trained without it.",
                ),
            ],
            outputs=[
                EmoAvatar.Output("avatar", display_name="avatar", tooltip="The person: to Avatar Speak."),
                io.String.Output(
                    "report", display_name="report", tooltip="What the films show, and what to record better."
                ),
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def validate_inputs(cls, size: str | None = None) -> bool | str:
        """Check the menu."""
        return check_choices(size=(size, SIZES))

    @classmethod
    def execute(cls, video: Any = None, **settings: Any) -> io.NodeOutput:
        from ..host.shown_text import show_text
        from .packages import require_packages

        require_packages()
        from .training import AvatarSettings, train_or_load

        avatar = train_or_load(video, AvatarSettings(**settings))
        report = "\n".join(avatar.about.notes)
        show_text(cls.hidden, report)
        return io.NodeOutput(avatar, report)
