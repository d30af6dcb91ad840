"""The example workflows of avatars: persons who are learnt from their own films."""

from typing import Any

from tools.canvas import Canvas
from tools.workflow_notes import EXAMPLES, HELP
from tools.workflow_parts import save_video

AGREED = "Train and use avatars only of people who agreed to it."
GRID = "The included person is speaker s4 of the GRID corpus (CC BY 4.0)."
VOICE = EXAMPLES.replace("*Portrait* and *Voice* show", "*Voice* shows")


def voice(canvas: Canvas, **settings: Any) -> dict:
    """Add a sound of the examples."""
    return canvas.add("LoadAudio", 0, "Voice", height=140, audio="voice.wav", **settings)


def train_avatar(canvas: Canvas) -> None:
    """A film of one person becomes an avatar that speaks."""
    film = canvas.add("LoadVideo", 0, "Film of the person", height=440, file="s4-film.mp4")
    sound = voice(canvas)
    trained = canvas.add(
        "EMOAvatarTrainer", 1, height=420, video=(film, "VIDEO"), name="example-s4", minutes=5.0, i_have_consent=True
    )
    canvas.add("PreviewAny", 2, "Report on the film", height=300, source=(trained, "report"))
    spoken = canvas.add("EMOAvatarSpeak", 2, avatar=(trained, "avatar"), audio=(sound, "AUDIO"))
    saved = save_video(canvas, 3, (spoken, "video"), "train-avatar")
    shown = [(film, "file"), (trained, "name"), (trained, "minutes"), (trained, "size"), (trained, "i_have_consent")]
    canvas.app([*shown, (sound, "audio")], [saved])
    canvas.note(
        3,
        "## Train an avatar\n1. Load a film of one person who speaks to the camera: three minutes or more, with sound. Clips may also lie "
        "in a **folder**.\n2. Give the avatar a **name**, and confirm the person's consent.\n3. Run. A preview shows true and drawn mouths. "
        "Cancel keeps what was learned; Run goes on from there.\n\nThe avatar is written to **models/emo_avatars**. Raise **minutes** and "
        "run again for a better one. *Report on the film* says what to record better.\n\nThe example film is short, so its avatar is a "
        f"draft. {GRID}\n\n{VOICE}\n\n{AGREED} {HELP}",
        480,
    )
    canvas.group_columns(("Film and voice", 1), ("Training", 1), ("Video", 2))


def avatar_talks(canvas: Canvas) -> None:
    """An avatar says a voice."""
    loaded = canvas.add("EMOAvatarLoader", 0)
    sound = voice(canvas)
    spoken = canvas.add("EMOAvatarSpeak", 1, avatar=(loaded, "avatar"), audio=(sound, "AUDIO"))
    saved = save_video(canvas, 2, (spoken, "video"), "avatar-talks")
    canvas.app([(loaded, "avatar_name"), (sound, "audio"), (spoken, "head"), (spoken, "seed")], [saved])
    canvas.note(
        2,
        "## An avatar talks\n1. Choose an avatar: the included one, or one of your own from *Avatar Trainer*.\n2. Load a voice in any "
        "language.\n3. Run.\n\n**head** *replay* plays the film's own frames with a new mouth. *generated* moves one frame by the person's "
        "own head motion, chosen by the voice. **background** makes it a colour, or transparent with **return_frames**.\n\nTo enlarge the "
        "video, turn **return_frames** on, and wire *frames* to ComfyUI's *Upscale Image (using Model)*.\n\n"
        f"{GRID}\n\n{VOICE}\n\n{AGREED} {HELP}",
        440,
    )
    canvas.group_columns(("Avatar and voice", 1), ("Video", 2))


def avatar_emotions(canvas: Canvas) -> None:
    """An avatar whose emotion changes while it speaks."""
    loaded = canvas.add("EMOAvatarLoader", 0)
    felt = canvas.add("EmotionCondition", 0, curve="0:neutral, 1:happy, 2.2:happy, 3:surprise", height=300)
    sound = voice(canvas)
    spoken = canvas.add(
        "EMOAvatarSpeak",
        1,
        avatar=(loaded, "avatar"),
        audio=(sound, "AUDIO"),
        emotion=(felt, "emotion"),
        head="generated",
    )
    saved = save_video(canvas, 2, (spoken, "video"), "avatar-emotions")
    canvas.app(
        [(loaded, "avatar_name"), (sound, "audio"), (felt, "curve"), (felt, "strength"), (spoken, "head")], [saved]
    )
    canvas.note(
        2,
        "## An avatar with emotion\nThe **curve** in *Emotion Condition* holds seconds:emotion@strength points, linear between them.\n\nWith "
        "**head** *generated* or *still* the whole face shows the emotion; with *replay* the mouth alone, because brows and eyes are the "
        "film's.\n\nA motion from *Speech to Face Motion* or *Face Motion from Video* may be wired to **motion** instead: the avatar wears "
        f"it.\n\n{GRID}\n\n{VOICE}\n\n{AGREED} {HELP}",
        420,
    )
    canvas.group_columns(("Avatar, voice, emotion", 1), ("Video", 2))


GRAPHS = {"train-avatar": train_avatar, "avatar-talks": avatar_talks, "avatar-emotions": avatar_emotions}
