"""The nodes of avatars, persons who are learnt from their own films: one node per file. The list is the order of the menu."""

from comfy_api.latest import io

from .loader import EMOAvatarLoader
from .speak import EMOAvatarSpeak
from .trainer import EMOAvatarTrainer

NODES: list[type[io.ComfyNode]] = [EMOAvatarTrainer, EMOAvatarLoader, EMOAvatarSpeak]
