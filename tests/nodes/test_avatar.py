"""The nodes of avatars."""

import io

import pytest

from emo_core.avatar.avatar_file import save_avatar
from emo_core.emote.weights import load_emote
from emo_core.media.video_reader import frames_at, open_source
from tests.avatar.people import SIZE, drawn_avatar, voiced_track
from tests.nodes.conftest import audio, module
from tests.nodes.test_emotion import run
from tests.nodes.test_nodes import problem


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """An avatar's file."""
    path = tmp_path_factory.mktemp("avatars") / "drawn.avatar.safetensors"
    save_avatar(drawn_avatar(voiced_track(), load_emote()), path)
    return path


@pytest.fixture
def avatar(nodes, stored):
    """The same in ComfyUI's folder, loaded by the node. The folder is empty again afterwards: the menus of schemas list it."""
    folder = module(".nodes.avatar.folders").new_avatars()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / stored.name).write_bytes(stored.read_bytes())
    yield run(nodes.EMOAvatarLoader, avatar_name=stored.name)[0]
    for path in folder.iterdir():
        path.unlink()


def test_the_loader_lists_avatars_only(nodes, avatar, stored):
    folders = module(".nodes.avatar.folders")
    (folders.new_avatars() / "other.safetensors").write_bytes(b"")
    assert stored.name in folders.avatars() and "other.safetensors" not in folders.avatars()
    assert "gone" in nodes.EMOAvatarLoader.validate_inputs(avatar_name="gone.avatar.safetensors")


def test_a_voice_becomes_a_video_as_long_as_it(nodes, avatar):
    video, frames, mask, edges = run(nodes.EMOAvatarSpeak, avatar=avatar, audio=audio(1.0), return_frames=True)
    shown = [frame for _, frame in frames_at(open_source(video.get_stream_source()), 25)]
    assert len(shown) == len(frames) == len(mask) == len(edges) == 25
    assert frames.shape == edges.shape == (25, SIZE, SIZE, 3) and mask.min() == 1


def test_a_transparent_background_is_the_mask(nodes, avatar):
    settings = {"avatar": avatar, "audio": audio(0.4), "return_frames": True, "background": "transparent"}
    _, frames, mask, _ = run(nodes.EMOAvatarSpeak, **settings)
    assert not mask[:, :40].any() and mask[:, 100:].min() == 1 and frames.shape[-1] == 3


def test_a_motion_is_worn_with_the_sound_of_the_voice(nodes, avatar):
    motion, sound = run(nodes.SpeechToFaceMotion, audio=audio(0.8))
    video, *_ = run(nodes.EMOAvatarSpeak, avatar=avatar, motion=motion, audio=sound, head="still", return_frames=True)
    assert open_source(video.get_stream_source()).sound_start is not None


def test_nothing_to_say_and_two_emotions_are_told(nodes, avatar):
    problem(lambda: run(nodes.EMOAvatarSpeak, avatar=avatar, return_frames=True), "audio: nothing is wired")
    motion, _ = run(nodes.SpeechToFaceMotion, audio=audio(0.4))
    emotion, _ = run(nodes.EmotionCondition, emotion="sad")
    speak = {"avatar": avatar, "return_frames": True}
    problem(lambda: run(nodes.EMOAvatarSpeak, motion=motion, emotion=emotion, **speak), "has its own")
    sky = {"background": "colour", "colour": "sky"}
    problem(lambda: run(nodes.EMOAvatarSpeak, audio=audio(0.4), **sky, **speak), "background")


def test_the_trainer_asks_for_films_and_consent(nodes, tmp_path):
    problem(lambda: run(nodes.EMOAvatarTrainer), "video: nothing is wired")
    problem(lambda: run(nodes.EMOAvatarTrainer, folder=str(tmp_path)), "consent: an avatar lets its maker")
    problem(lambda: run(nodes.EMOAvatarTrainer, folder=str(tmp_path), i_have_consent=True), "no film in the folder")
    problem(lambda: run(nodes.EMOAvatarTrainer, folder=str(tmp_path), i_have_consent=True, name="a/b"), "name: got")


def test_films_come_as_files(nodes, avatar):
    """A film on the disk is read where it is; one in memory is written for the time of the training."""
    video, *_ = run(nodes.EMOAvatarSpeak, avatar=avatar, audio=audio(0.4), return_frames=True)
    film, impl = module(".nodes.host.film"), module("comfy_api.latest").InputImpl
    with film.whole_file(video) as path:
        assert str(path) == str(video.get_stream_source())
        data = path.read_bytes()
    with film.whole_file(impl.VideoFromFile(io.BytesIO(data))) as path:
        assert path.read_bytes() == data
    assert not path.exists()
