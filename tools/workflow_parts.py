"""Nodes that several example workflows begin and end with."""

from tools.canvas import Canvas


def portrait_and_voice(canvas: Canvas, portrait: str, voice: str = "voice.wav") -> tuple[dict, dict]:
    """Add a picture and a sound of the examples."""
    picture = canvas.add("LoadImage", 0, "Portrait", height=330, image=portrait)
    return picture, canvas.add("LoadAudio", 0, "Voice", height=140, audio=voice)


def save_video(canvas: Canvas, column: float, video: tuple[dict, str], name: str) -> dict:
    """Add Save Video, which writes to the folder `video`."""
    return canvas.add("SaveVideo", column, height=420, video=video, filename_prefix=f"video/{name}")
