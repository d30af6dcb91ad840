"""The example workflows of face motion: a portrait that wears the motion of a voice or of a film."""

from typing import Any

from tools.canvas import Canvas
from tools.workflow_notes import CONSENT, EXAMPLES, HELP, POINTS
from tools.workflow_parts import portrait_and_voice, save_video


def speech(canvas: Canvas, portrait: str, **settings: Any) -> tuple[dict, dict, dict]:
    """Add portrait, voice and the motion of that voice."""
    picture, sound = portrait_and_voice(canvas, portrait)
    spoken = canvas.add("SpeechToFaceMotion", 1, audio=(sound, "AUDIO"), **settings)
    return picture, sound, spoken


def animate(canvas: Canvas, column: float, picture: dict, motion: dict, voice: dict, **settings: Any) -> dict:
    """Add the portrait that wears a motion."""
    return canvas.add(
        "AnimatePortrait",
        column,
        portrait=(picture, "IMAGE"),
        motion=(motion, "motion"),
        audio=(voice, "audio"),
        **settings,
    )


def talk_any_portrait(canvas: Canvas) -> None:
    """Anybody's portrait and a voice."""
    picture, sound, spoken = speech(canvas, "woman.jpg")
    animated = animate(canvas, 2, picture, spoken, spoken)
    saved = save_video(canvas, 3, (animated, "video"), "talk-any-portrait")
    shown = [(picture, "image"), (sound, "audio"), (spoken, "style"), (spoken, "speed"), (spoken, "seed")]
    canvas.app([*shown, (animated, "paste_back")], [saved])
    canvas.note(
        2,
        "## Any portrait talks\n1. Load a portrait that looks to the front: a photo, a painting or a 3D picture.\n2. Load a voice in "
        "any language.\n3. Run. The video has the portrait's own pixels, so the face keeps its identity and its sharpness. No "
        "diffusion model is used.\n\nLess or more of the head, the brows or the blinks: set their amounts in *Speech to Face "
        f"Motion*. For the face inside its whole photo, turn **paste_back** on.\n\n{POINTS}\n\n{EXAMPLES}\n\n{CONSENT} {HELP}",
        480,
    )
    canvas.group_columns(("Portrait and voice", 1), ("Motion of the face", 1), ("Video", 2))


def drive_by_video(canvas: Canvas) -> None:
    """A filmed performance moves a portrait."""
    film = canvas.add("LoadVideo", 0, "Performance", height=440, file="performance.mp4")
    picture = canvas.add("LoadImage", 0, "Portrait", height=330, image="man.jpg")
    watched = canvas.add("FaceMotionFromVideo", 1, video=(film, "VIDEO"))
    adjusted = canvas.add("AdjustFaceMotion", 1, motion=(watched, "motion"))
    canvas.add("PreviewFaceMotion", 2, motion=(adjusted, "motion"), size=256)
    canvas.add("SaveFaceMotion", 2, motion=(adjusted, "motion"))
    animated = animate(canvas, 3, picture, adjusted, watched)
    saved = save_video(canvas, 4, (animated, "video"), "drive-by-video")
    shown = [(film, "file"), (picture, "image"), (watched, "start"), (watched, "duration"), (adjusted, "head")]
    canvas.app([*shown, (animated, "paste_back")], [saved])
    canvas.note(
        3,
        "## A film drives a portrait\n1. Load a film of one person, seen from the front.\n2. Load the portrait that shall repeat "
        "the performance.\n3. Run. Mouth, brows, blinks, gaze and head follow the film.\n\n*Adjust Face Motion* makes each of them "
        "larger or smaller. *Save Face Motion* keeps the motion: *Load Face Motion* gives it to other portraits.\n\n"
        f"{POINTS}\n\nThe example film is a clip of the GRID corpus (CC BY 4.0). {EXAMPLES.replace('Voice', 'Performance')}\n\n"
        f"{CONSENT} {HELP}",
        480,
    )
    canvas.group_columns(("Performance and portrait", 1), ("Motion of the face", 2), ("Video", 2))


def portrait_long(canvas: Canvas) -> None:
    """A long voice, with amounts that change over time, pasted into the whole picture."""
    picture, sound, spoken = speech(canvas, "woman.jpg", speed="0:0.1, 3:0.3", style="average")
    adjusted = canvas.add(
        "AdjustFaceMotion", 2, motion=(spoken, "motion"), head="0:0.5, 2:1, 4:1.3", brows="0:0.6, 4:1.4", smoothing=0.04
    )
    canvas.add("SaveFaceMotion", 2, motion=(adjusted, "motion"))
    animated = animate(canvas, 3, picture, adjusted, spoken, paste_back=True)
    saved = save_video(canvas, 4, (animated, "video"), "portrait-long")
    shown = [(picture, "image"), (sound, "audio"), (spoken, "duration"), (spoken, "speed"), (adjusted, "head")]
    canvas.app([*shown, (adjusted, "brows"), (spoken, "seed")], [saved])
    canvas.note(
        3,
        "## Any length\nFrames are written to disk one by one, so an hour of sound needs no more memory than a minute. Set "
        "**duration** to 10 for a first look, then to 0 for the whole sound.\n\nThe amounts in *Adjust Face Motion* are curves: "
        "seconds:amount pairs. Here the head starts calm and moves more from second to second. A change there draws the video "
        "again, but the motion of the voice comes from ComfyUI's cache.\n\n*Save Face Motion* keeps the motion for other portraits."
        f"\n\n{POINTS}\n\n{EXAMPLES}",
        480,
    )
    canvas.group_columns(("Portrait and voice", 1), ("Motion of the face", 2), ("Video", 2))


def emotions(canvas: Canvas) -> None:
    """One portrait in eight emotions, side by side."""
    every = canvas.add("EveryEmotion", 0)
    picture, sound, spoken = speech(canvas, "woman.jpg", emotion=(every, "emotion"))
    animated = animate(canvas, 2, picture, spoken, spoken, size=256)
    grid = canvas.add("EMOVideoGrid", 3, videos=(animated, "video"), names=(every, "names"))
    saved = save_video(canvas, 4, (grid, "video"), "emotions")
    canvas.app([(picture, "image"), (sound, "audio"), (every, "strength"), (animated, "size")], [saved])
    canvas.note(
        3,
        "## Eight emotions\n*Every Emotion* gives a list, so the nodes behind it run eight times, and *Video Grid* puts the videos side by "
        "side. The lips say the same in all of them.\n\n**strength** is 1 for the full emotion. **emotion_style** in *Speech to Face "
        "Motion* is the way in which a person shows emotions: try 1, 2, 3.\n\nFor one emotion, put *Emotion Condition* in the place of "
        f"*Every Emotion*, and leave *Video Grid* out.\n\n{POINTS}\n\n{EXAMPLES}\n\n{CONSENT} {HELP}",
        480,
    )
    canvas.group_columns(("Portrait, voice, emotions", 1), ("Motion of the face", 1), ("Video", 3))


def emotion_curve(canvas: Canvas) -> None:
    """An emotion that changes while the face speaks."""
    felt = canvas.add(
        "EmotionCondition", 0, curve="0:neutral, 0.8:neutral, 1.4:happy, 2.4:happy, 3:surprise", height=300
    )
    picture, sound, spoken = speech(canvas, "woman.jpg", emotion=(felt, "emotion"))
    proposed = canvas.add("EmotionFromVoice", 1, audio=(sound, "AUDIO"))
    canvas.add("PreviewAny", 1, "Proposed from the voice", source=(proposed, "curve"))
    animated = animate(canvas, 2, picture, spoken, spoken)
    saved = save_video(canvas, 3, (animated, "video"), "emotion-curve")
    canvas.app([(picture, "image"), (sound, "audio"), (felt, "curve"), (felt, "strength"), (spoken, "seed")], [saved])
    canvas.note(
        2,
        "## Emotion over time\nThe **curve** in *Emotion Condition* holds seconds:emotion@strength points, linear between them: "
        "0:neutral, 1.5:happy@0.8. A plus sign blends two: 2:happy+surprise.\n\n*Emotion from Voice* proposes a curve by rules on "
        "loudness, pitch and rate. Copy it into **curve** and edit it; a calm voice gives neutral.\n\n"
        f"{POINTS}\n\n{EXAMPLES}\n\n{CONSENT} {HELP}",
        420,
    )
    canvas.group_columns(("Portrait, voice, emotion", 1), ("Motion of the face", 1), ("Video", 2))


def export_to_blender(canvas: Canvas) -> None:
    """A voice to files of other programs."""
    felt = canvas.add("EmotionCondition", 0, emotion="happy", strength=0.8, height=300)
    sound = canvas.add("LoadAudio", 0, "Voice", height=140, audio="voice.wav")
    spoken = canvas.add("SpeechToFaceMotion", 1, audio=(sound, "AUDIO"), emotion=(felt, "emotion"))
    mesh = canvas.add("ExportFaceMotion", 2, "GLB for Blender", motion=(spoken, "motion"), format="GLB")
    table = canvas.add(
        "ExportFaceMotion", 2, "CSV for Unreal", motion=(spoken, "motion"), format="Live Link Face CSV", fps="60"
    )
    canvas.app([(sound, "audio"), (felt, "emotion"), (felt, "strength"), (mesh, "format")], [mesh, table])
    canvas.add("Preview3D", 3, height=420, model_file=(mesh, "model_file"))
    preview = canvas.add("PreviewFaceMotion", 3, motion=(spoken, "motion"), size=256)
    canvas.add("PreviewImage", 4, height=420, images=(preview, "frames"))
    canvas.note(
        4,
        "## To Blender, Unreal and others\nThe files are in ComfyUI's folder **output/face_motion**.\n\n- **GLB**: File, Import, glTF 2.0 "
        "in Blender. The mesh has 51 shape keys with ARKit's names, and their animation.\n- **Live Link Face CSV**: Unreal's Live Link "
        "Face Importer, or an importer of Maya and Houdini.\n- **JSON** for scripts, **BVH** for the head alone.\n\nSet **fps** and "
        f"**timecode** to those of your scene.\n\n{EXAMPLES.replace('*Portrait* and *Voice* show', '*Voice* shows')}\n\n{CONSENT} {HELP}",
        420,
    )
    canvas.group_columns(("Voice, emotion", 1), ("Motion of the face", 1), ("Files, preview", 3))


GRAPHS = {
    "talk-any-portrait": talk_any_portrait,
    "drive-by-video": drive_by_video,
    "portrait-long": portrait_long,
    "emotions": emotions,
    "emotion-curve": emotion_curve,
    "export-to-blender": export_to_blender,
}
