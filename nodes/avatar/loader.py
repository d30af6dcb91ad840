"""EMOAvatarLoader: a file -> an avatar."""

from comfy_api.latest import io

from ..host.inputs import file_state
from ..host.menus import check_choices
from ..host.schema import schema
from .folders import BUILT_IN, avatar_file, avatars
from .sockets import CATEGORY, EmoAvatar


class EMOAvatarLoader(io.ComfyNode):
    """Load an avatar."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            CATEGORY,
            node_id="EMOAvatarLoader",
            display_name="Avatar Loader",
            description=(
                "Loads an avatar: one person, learnt from their own films by Avatar Trainer or by the command line. Own avatars are in "
                "models/emo_avatars; one comes with the pack."
            ),
            search_aliases=["load avatar", "talking avatar", "digital human", "emo avatar"],
            inputs=[
                io.Combo.Input(
                    "avatar_name",
                    options=avatars(),
                    default=BUILT_IN,
                    tooltip="Built in: speaker s4 of the GRID corpus. Others: files ending in .avatar.safetensors in models/emo_avatars.",
                )
            ],
            outputs=[EmoAvatar.Output("avatar", display_name="avatar", tooltip="The person: to Avatar Speak.")],
        )

    @classmethod
    def validate_inputs(cls, avatar_name: str | None = None) -> bool | str:
        """Check the menu. None is still to come from another node."""
        return check_choices(avatar_name=(avatar_name, avatars()))

    @classmethod
    def fingerprint_inputs(cls, avatar_name: str | None = None) -> tuple[str, int]:
        """Path and time of change, so that an avatar that was trained again is read again."""
        return file_state(avatar_file(avatar_name)) if avatar_name in avatars() else ("", 0)

    @classmethod
    def execute(cls, avatar_name: str) -> io.NodeOutput:
        from ...emo_core.avatar.avatar_file import load_avatar

        return io.NodeOutput(load_avatar(avatar_file(avatar_name)))
