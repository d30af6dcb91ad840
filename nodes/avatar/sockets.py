"""Category and socket type of the avatar nodes."""

from comfy_api.latest import io

CATEGORY = "EMO/avatar"

EmoAvatar = io.Custom("EMO_AVATAR")
"""An `emo_core.avatar.avatar_file.Avatar`: one person who can speak."""
