"""A drawn person with two real voices, and the avatar of them."""

import dataclasses

import numpy as np
import torch

from emo_core.avatar.avatar_file import AboutAvatar, Avatar
from emo_core.avatar.person_motion import learn_person
from emo_core.avatar.pictures import PicturesWriter
from emo_core.avatar.render_data import MouthFilm
from emo_core.avatar.renderer import MouthRenderer
from emo_core.avatar.stage import choose_stage
from emo_core.avatar.takes import SAMPLES
from emo_core.avatar.track import Track
from emo_core.avatar.unet import MouthNet
from emo_core.emote.weights import EmoteModel
from emo_core.face.rig import load_rig
from emo_core.media.sound import Sound, load_sound
from tests.avatar.faces import drawn_track
from tests.conftest import ROOT

SIZE = 256


def voiced_track() -> Track:
    voices = [load_sound(ROOT / "assets" / name).waveform for name in ("voice.wav", "voice-2.wav")]
    frames = tuple(min(60, len(voice) // SAMPLES) for voice in voices)
    drawn = drawn_track(load_rig(), size=SIZE, takes=frames)
    takes = tuple(
        dataclasses.replace(take, sound=Sound(voice[: take.frames * SAMPLES]))
        for take, voice in zip(drawn.takes, voices, strict=True)
    )
    return dataclasses.replace(drawn, takes=takes)


def drawn_avatar(track: Track, emote: EmoteModel) -> Avatar:
    """With masks that call everything below the upper quarter the person, and an untrained network."""
    torch.manual_seed(0)
    stage = choose_stage(track)
    writer = PicturesWriter()
    for _ in range(len(stage.pictures)):
        mask = np.zeros((64, 64, 3), np.uint8)
        mask[16:] = 255
        writer.add(mask)
    gallery = MouthFilm(track, load_rig(), None, SIZE // 2, mouths=12).gallery()
    return Avatar(
        about=AboutAvatar(name="drawn", size=SIZE, consent=True, made="2026-01-01", sources="0" * 64),
        person=learn_person(track, emote, load_rig()),
        stage=dataclasses.replace(stage, masks=writer.done()),
        renderer=MouthRenderer(MouthNet(), gallery, load_rig(), track.neutral),
    )
