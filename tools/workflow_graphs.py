"""The example workflows: their nodes, links, groups and notes."""

from collections.abc import Callable
from typing import Any

from tools.avatar_graphs import GRAPHS as AVATAR_GRAPHS
from tools.canvas import Canvas
from tools.portrait_graphs import GRAPHS as PORTRAIT_GRAPHS
from tools.workflow_notes import CONSENT, EXAMPLES, HELP, POINTS
from tools.workflow_parts import portrait_and_voice, save_video

VAE_FILE, AUDIO_ENCODER_FILE = "vae-ft-mse-840000-ema-pruned.safetensors", "wav2vec2-base-960h.safetensors"
VAE_URL = f"https://huggingface.co/stabilityai/sd-vae-ft-mse-original/resolve/main/{VAE_FILE}"
AUDIO_ENCODER_URL = "https://huggingface.co/facebook/wav2vec2-base-960h/resolve/main/model.safetensors"


def front(
    canvas: Canvas,
    portrait: str = "portrait.png",
    voice: str = "voice.wav",
    checkpoint: str = "emo-mini (built in)",
    **face: Any,
) -> dict[str, Any]:
    """Add model, portrait and voice, with the nodes up to the chainer's inputs."""
    loader = canvas.add("EMOModelLoader", 0, checkpoint=checkpoint)
    picture, sound = portrait_and_voice(canvas, portrait, voice)
    model = (loader, "model")
    located = canvas.add("FaceLocatorMask", 1, height=540, model=model, image=(picture, "IMAGE"), **face)
    encoded = canvas.add("VAEEncode", 1, pixels=(located, "crop"), vae=(loader, "vae"))
    features = canvas.add("LoadAudioWav2Vec", 1, model=model, audio=(sound, "AUDIO"))
    subject = {
        "model": model,
        "reference": (encoded, "LATENT"),
        "emo_audio": (features, "emo_audio"),
        "mask": (located, "mask"),
    }
    return {
        "subject": subject,
        "vae": (loader, "vae"),
        "loader": loader,
        "picture": picture,
        "sound": sound,
        "located": located,
        "features": features,
    }


def app(canvas: Canvas, parts: dict[str, Any], chain: dict, saved: dict, *more: tuple[dict, str]) -> None:
    """Show portrait, voice, checkpoint, seed and steps in the host's App mode, with more widgets between them."""
    first, last = [(parts["picture"], "image"), (parts["sound"], "audio")], [(chain, "seed"), (chain, "steps")]
    canvas.app([*first, *more, (parts["loader"], "checkpoint"), *last], [saved])


def talk(canvas: Canvas) -> None:
    """One portrait, one voice, one video."""
    parts = front(canvas)
    chain = canvas.add("MotionFrameChainer", 2, vae=parts["vae"], **parts["subject"])
    saved = save_video(canvas, 3, (chain, "video"), "talk")
    app(canvas, parts, chain, saved)
    canvas.note(
        2,
        "## Talk\n1. Load a portrait and a voice.\n2. Run. emo-mini works on a CPU. For a draft, 10 **steps** suffice (0 is the "
        "checkpoint's own number, 40). For another face, and for the fastest run, open the workflow *emo-any-portrait*.\n"
        f"3. The video is as long as the sound.\n\n{EXAMPLES}\n\n{CONSENT} {HELP}",
        330,
    )
    canvas.group_columns(("Portrait and voice", 1), ("Face and audio features", 1), ("Video", 2))


def emo_any_portrait(canvas: Canvas) -> None:
    """EMO repairs the frames that Animate Portrait draws."""
    parts = front(canvas, "woman.jpg", checkpoint="emo-mini-few (built in)")
    spoken = canvas.add("SpeechToFaceMotion", 1, audio=(parts["sound"], "AUDIO"))
    drawn = canvas.add(
        "AnimatePortrait",
        2,
        portrait=(parts["located"], "crop"),
        motion=(spoken, "motion"),
        audio=(spoken, "audio"),
        size=256,
        return_frames=True,
    )
    guide = canvas.add("EMOGuide", 2, frames=(drawn, "frames"), vae=parts["vae"])
    chain = canvas.add("MotionFrameChainer", 3, vae=parts["vae"], **parts["subject"], emo_guide=(guide, "emo_guide"))
    saved = save_video(canvas, 4, (chain, "video"), "emo-any-portrait")
    app(canvas, parts, chain, saved, (spoken, "speed"))
    canvas.note(
        3,
        "## EMO with any portrait\n*Animate Portrait* moves the portrait's own pixels, and EMO repairs the mouth in its frames: it denoises the "
        "difference to them, in one step. Head, gaze, lids and emotion are those of *Speech to Face Motion*: wire *Emotion Condition* to it, or "
        "change **speed**.\n\n**size** of *Animate Portrait* must be the model's: 256. For a film in place of a voice, put *Face Motion from "
        f"Video* before *Animate Portrait*.\n\n{POINTS} Make them from the crop of *Face Locator Mask*.\n\n{EXAMPLES}\n\n{CONSENT} {HELP}",
        520,
    )
    canvas.group_columns(("Portrait and voice", 1), ("Face and audio features", 1), ("Drawn frames", 1), ("Video", 2))


def sing(canvas: Canvas) -> None:
    """More head motion: a speed curve and a larger face region, both previewed."""
    parts = front(canvas, expand=1.5)
    speed = canvas.add("SpeedCondition", 1, height=200, model=parts["subject"]["model"], curve="0:0.1, 1.5:0.35, 3:0.2")
    canvas.add("PreviewAny", 2, "Speed range", height=120, source=(speed, "info"))
    region = canvas.add("MaskToImage", 2, "Face region", mask=parts["subject"]["mask"])
    canvas.add("PreviewImage", 2, "Preview of the face region", height=260, images=(region, "IMAGE"))
    chain = canvas.add(
        "MotionFrameChainer",
        3,
        vae=parts["vae"],
        audio_scale=2.5,
        **parts["subject"],
        emo_speed=(speed, "emo_speed"),
    )
    saved = save_video(canvas, 4, (chain, "video"), "sing")
    app(canvas, parts, chain, saved, (parts["located"], "expand"), (speed, "curve"))
    canvas.note(
        3,
        "## Sing\nEMO has two weak controls of head motion:\n- Face region: **expand** 1.5 allows more head motion.\n- Speed: the "
        "**curve** starts slow and is fastest at 1.5 s.\n\nAn **audio_scale** of 2.5 moves the mouth more than emo-mini's own 1.7. "
        f"Use a voice without instruments: separate it from the music first.\n\n{EXAMPLES}",
        330,
    )
    canvas.group_columns(("Portrait and song", 1), ("Face region and head speed", 2), ("Video", 2))


def long(canvas: Canvas) -> None:
    """A video of any length, in clips that the host caches."""
    parts = front(canvas)
    chain = canvas.add("MotionFrameChainer", 2, vae=parts["vae"], seconds=2.0, mode="expanded", **parts["subject"])
    saved = save_video(canvas, 3, (chain, "video"), "long")
    app(canvas, parts, chain, saved, (chain, "seconds"))
    canvas.note(
        2,
        "## Any length\nGenerate the first **seconds** and check them. Then raise **seconds** (0 is the whole sound) and run again: "
        "finished clips come from the cache, also after Cancel.\n\nFrames are written to disk. For hours of sound use **mode** *loop* "
        f"(an advanced input), which needs the least memory.\n\n{EXAMPLES}",
        300,
    )
    canvas.group_columns(("Portrait and voice", 1), ("Face and audio features", 1), ("Video", 2))


def paste_back(canvas: Canvas) -> None:
    """A face animated inside its photo."""
    parts = front(canvas, "photo.png")
    chain = canvas.add("MotionFrameChainer", 2, vae=parts["vae"], return_frames=True, **parts["subject"])
    pasted = canvas.add(
        "EMOPasteBack",
        3,
        frames=(chain, "frames"),
        emo_crop=(parts["located"], "emo_crop"),
        original=(parts["picture"], "IMAGE"),
    )
    video = canvas.add(
        "CreateVideo", 3, images=(pasted, "image"), fps=(parts["features"], "fps"), audio=(parts["features"], "audio")
    )
    saved = save_video(canvas, 3, (video, "VIDEO"), "paste-back")
    app(canvas, parts, chain, saved)
    canvas.note(
        2,
        "## Paste back\nThe face is cropped, animated, and pasted into the photo with a soft edge.\n\nAll frames are kept in memory. "
        "Scale photos above 2 megapixels down: put an *Upscale Image* behind *Portrait* and wire it to both nodes.\n\n"
        f"Motion Frame Chainer returns frames only if **return_frames** is on.\n\n{EXAMPLES}",
        300,
    )
    canvas.group_columns(("Photo and voice", 1), ("Face and audio features", 1), ("Video of the photo", 2))


def batch(canvas: Canvas) -> None:
    """Two portraits with two voices: four videos in one queue."""
    loader = canvas.add("EMOModelLoader", 0)
    model, vae = (loader, "model"), (loader, "vae")
    faces, voices = [], []
    for letter, file in (("A", "portrait.png"), ("B", "portrait-2.png")):
        picture = canvas.add("LoadImage", 0, f"Portrait {letter}", height=330, image=file)
        located = canvas.add("FaceLocatorMask", 1, height=540, model=model, image=(picture, "IMAGE"))
        encoded = canvas.add("VAEEncode", 1, pixels=(located, "crop"), vae=vae)
        faces.append({"reference": (encoded, "LATENT"), "mask": (located, "mask")})
    for number, file in (("1", "voice.wav"), ("2", "voice-2.wav")):
        sound = canvas.add("LoadAudio", 0, f"Voice {number}", height=140, audio=file)
        title = f"Audio features {number}"
        features = canvas.add("LoadAudioWav2Vec", 1, title, model=model, audio=(sound, "AUDIO"))
        voices.append((features, "emo_audio"))
    for face, letter in zip(faces, "AB", strict=True):
        for voice, number in zip(voices, "12", strict=True):
            name = f"{letter}{number}"
            chain = canvas.add("MotionFrameChainer", 2, f"Chain {name}", model=model, vae=vae, emo_audio=voice, **face)
            canvas.add(
                "SaveVideo", 3, f"Video {name}", height=420, video=(chain, "video"), filename_prefix=f"video/{name}"
            )
    canvas.note(
        3,
        "## Several portraits, several voices\nEach portrait and each voice is encoded once.\n\nFor hundreds of pairs, queue *talk* "
        "with a table instead: the command **queue** of this pack reads a CSV file (see docs/headless.md).\n\nThe four files are the "
        "pack's examples. If one is missing, copy the pack's folder **assets** into ComfyUI's folder **input**.",
        270,
    )
    canvas.group_columns(("Portraits and voices", 1), ("Face and audio features", 1), ("One video per pair", 2))


def chain_by_hand(canvas: Canvas) -> None:
    """Two clips with settings of their own; the chainer generates the rest and writes all clips."""
    parts = front(canvas)
    slow = canvas.add("SpeedCondition", 2, "Slow", height=200, model=parts["subject"]["model"], speed=0.05)
    fast = canvas.add("SpeedCondition", 2, "Fast", height=200, model=parts["subject"]["model"], speed=0.35)
    first = canvas.add("EMOSampler", 3, "Clip 0", **parts["subject"], emo_speed=(slow, "emo_speed"))
    second = canvas.add(
        "EMOSampler",
        3,
        "Clip 1",
        **parts["subject"],
        emo_speed=(fast, "emo_speed"),
        motion_frames=(first, "motion_frames"),
    )
    frames = canvas.add("VAEDecode", 4, samples=(first, "latent"), vae=parts["vae"])
    canvas.add("PreviewImage", 4, "Frames of clip 0", height=300, images=(frames, "IMAGE"))
    chain = canvas.add(
        "MotionFrameChainer",
        4,
        "All clips",
        vae=parts["vae"],
        **parts["subject"],
        motion_frames=(second, "motion_frames"),
    )
    saved = save_video(canvas, 5, (chain, "video"), "chain-by-hand")
    app(canvas, parts, chain, saved, (slow, "speed"), (fast, "speed"))
    canvas.note(
        5,
        "## Chain by hand\nThe head moves slowly in clip 0 and fast in clip 1. Motion Frame Chainer generates the remaining clips and "
        "writes all of them to one video.\n\nEach clip continues the **motion_frames** of the previous one. Use the same seed and steps in "
        f"all three nodes.\n\n{EXAMPLES}",
        290,
    )
    canvas.group_columns(
        ("Portrait and voice", 1),
        ("Face and audio features", 2),
        ("Two clips with their own speed", 1),
        ("Remaining clips and video", 2),
    )


def talk_hallo(canvas: Canvas) -> None:
    """Hallo's public weights, with the host's audio encoder and VAE."""
    loader = canvas.add("EMOModelLoader", 0, checkpoint="hallo.safetensors")
    vae = canvas.add("VAELoader", 0, "VAE for SD 1.5", vae_name=VAE_FILE)
    canvas.download(vae, VAE_FILE, VAE_URL, "vae")
    encoder = canvas.add("AudioEncoderLoader", 0, "wav2vec2", audio_encoder_name=AUDIO_ENCODER_FILE)
    canvas.download(encoder, AUDIO_ENCODER_FILE, AUDIO_ENCODER_URL, "audio_encoders")
    picture, sound = portrait_and_voice(canvas, "portrait.png")
    model = (loader, "model")
    located = canvas.add("FaceLocatorMask", 1, height=540, model=model, image=(picture, "IMAGE"), expand=1.2)
    encoded = canvas.add("VAEEncode", 1, pixels=(located, "crop"), vae=(vae, "VAE"))
    encoded_audio = canvas.add(
        "AudioEncoderEncode", 1, audio_encoder=(encoder, "AUDIO_ENCODER"), audio=(sound, "AUDIO")
    )
    features = canvas.add(
        "LoadAudioWav2Vec",
        1,
        model=model,
        audio=(sound, "AUDIO"),
        encoded_audio=(encoded_audio, "AUDIO_ENCODER_OUTPUT"),
    )
    chain = canvas.add(
        "MotionFrameChainer",
        2,
        model=model,
        reference=(encoded, "LATENT"),
        emo_audio=(features, "emo_audio"),
        mask=(located, "mask"),
        emo_face=(located, "emo_face"),
        vae=(vae, "VAE"),
    )
    saved = save_video(canvas, 3, (chain, "video"), "talk-hallo")
    canvas.app([(picture, "image"), (sound, "audio"), (chain, "seed"), (chain, "steps")], [saved])
    canvas.note(
        3,
        "## Hallo\nHallo's public weights, 512 x 512. A GPU is needed, and three files. **The three loaders are red until their files are "
        "in ComfyUI's folder models.** Then press R.\n"
        "1. emo / *hallo.safetensors*: made from Hallo's *net.pth* (docs/hallo.md of this pack says how)\n"
        f"2. vae / *{VAE_FILE}*: [download]({VAE_URL})\n"
        f"3. audio_encoders / *{AUDIO_ENCODER_FILE}*: [download]({AUDIO_ENCODER_URL}), then rename\n\nWithout these files, open the "
        "workflow *talk*: its model comes with the pack.\n\nHallo has no speed layers. It is controlled by **pose_weight**, "
        "**face_weight** and **lip_weight** of Face Locator Mask (advanced inputs).",
        470,
    )
    canvas.group_columns(("Files, portrait and voice", 1), ("Face and audio features", 1), ("Video", 2))


GRAPHS: dict[str, Callable[[Canvas], None]] = {
    "talk": talk,
    "emo-any-portrait": emo_any_portrait,
    "sing": sing,
    "long": long,
    "paste-back": paste_back,
    "batch": batch,
    "chain-by-hand": chain_by_hand,
    "talk-hallo": talk_hallo,
    **PORTRAIT_GRAPHS,
    **AVATAR_GRAPHS,
}
