"""An avatar from its films to its video: the file, training around the parts, speaking."""

import dataclasses
import json
import sys

import numpy as np
import pytest

from emo_core.__main__ import main
from emo_core.avatar.avatar_file import avatar_path, load_avatar, read_about, save_avatar
from emo_core.avatar.background import Background
from emo_core.avatar.speak import SpeakOptions, speak_motion, speak_sound
from emo_core.avatar.takes import SAMPLES
from emo_core.avatar.track import save_track
from emo_core.avatar.train import TrainRequest, Watch, ensure_avatar, train_avatar
from emo_core.avatar.work import WorkFolder, digest_of
from emo_core.emote.weights import load_emote
from emo_core.emotion import EmotionCurve
from emo_core.errors import Cancelled, CheckpointError, InputError
from emo_core.files import write_json
from emo_core.media.sound import Sound, load_sound
from tests.avatar.faces import talking
from tests.avatar.people import SIZE, drawn_avatar, voiced_track
from tests.conftest import DATA, ROOT

VOICE = ROOT / "assets" / "voice.wav"


@pytest.fixture(scope="module")
def emote():
    return load_emote()


@pytest.fixture(scope="module")
def track():
    return voiced_track()


@pytest.fixture(scope="module")
def avatar(track, emote):
    return drawn_avatar(track, emote)


@pytest.fixture(scope="module")
def sound():
    return Sound(load_sound(VOICE).waveform[: 30 * SAMPLES])


def frames_of(performance):
    return np.concatenate(list(performance.blocks))


def test_an_avatar_survives_its_file(avatar, emote, sound, tmp_path):
    path = tmp_path / "drawn.avatar.safetensors"
    save_avatar(avatar, path)
    back = load_avatar(path)
    assert back.about == avatar.about == read_about(path)
    one, two = (frames_of(speak_sound(each, sound, emote, SpeakOptions())) for each in (avatar, back))
    assert one.shape == (30, SIZE, SIZE, 3) and np.abs(one.astype(int) - two).max() <= 3  # Weights in 16 bits.


@pytest.mark.parametrize("damage", ["cut", "other", "about", "part"])
def test_a_damaged_file_is_refused(avatar, damage, tmp_path):
    from safetensors import safe_open
    from safetensors.torch import save_file

    path = tmp_path / "drawn.avatar.safetensors"
    save_avatar(avatar, path)
    with safe_open(path, "pt") as stored:
        about, tensors = stored.metadata(), {name: stored.get_tensor(name) for name in stored.keys()}
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-1000])
    elif damage == "other":
        save_file(tensors, path, {"format": "emote-1"})
    elif damage == "about":
        save_file(tensors, path, about | {"about": json.dumps(json.loads(about["about"]) | {"consent": False})})
    else:
        save_file({name: value for name, value in tensors.items() if name != "stage.landmarks"}, path, about)
    with pytest.raises(CheckpointError, match=r"avatar: .*again|another kind of file"):
        load_avatar(path)


def test_a_place_that_cannot_be_written_is_named(avatar, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"avatar: .*cannot be written.*--resume"):
        save_avatar(avatar, tmp_path / "file" / "a.avatar.safetensors")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit of a file's size")
def test_a_full_disk_keeps_the_avatar_of_before(avatar, tmp_path):
    import resource

    path = tmp_path / "drawn.avatar.safetensors"
    save_avatar(avatar, path)
    before, limits = path.read_bytes(), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(InputError, match=r"avatar: .*cannot be written.*make room.*--resume"):
            save_avatar(avatar, path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("voice", ["speech/pico_fr*", "speech/pico_zh*", "singing/vocadito*"])
def test_other_languages_and_songs_are_said(avatar, emote, voice):
    paths = sorted(DATA.glob(voice))
    if not paths:
        pytest.skip(f"no recorded data at {DATA}")
    sound = load_sound(paths[0], max_seconds=0.8)
    frames = frames_of(speak_sound(avatar, sound, emote, SpeakOptions()))
    assert len(frames) == round(sound.seconds * 25) and np.abs(np.diff(frames.astype(int), axis=0)).max() > 20


def test_names_become_files(tmp_path):
    assert avatar_path("anna", tmp_path) == tmp_path / "anna.avatar.safetensors"
    assert str(avatar_path("some/where/b.avatar.safetensors")).endswith("b.avatar.safetensors")
    for name in ("", "..", "a/b", "a:b", "x" * 65):
        with pytest.raises(InputError, match="name: got"):
            avatar_path(name)


def test_a_replayed_head_changes_the_lower_face_only(avatar, emote, sound):
    frames = frames_of(speak_sound(avatar, sound, emote, SpeakOptions()))
    film = np.stack([avatar.stage.pictures[n] for n in range(30)])
    changed = (frames != film).any(axis=(0, 3))
    lids, nose = (int(avatar.stage.landmarks[:, point, 1].min()) for point in (145, 4))
    assert not changed[:lids].any() and changed[nose:].any()


def test_the_same_seed_gives_the_same_frames(avatar, emote, sound):
    short = Sound(sound.waveform[: 8 * SAMPLES])
    for head in ("replay", "generated"):
        options = SpeakOptions(head=head, seed=1)
        one, two = (frames_of(speak_sound(avatar, short, emote, options)) for _ in range(2))
        assert np.array_equal(one, two)
    other = frames_of(speak_sound(avatar, short, emote, SpeakOptions(seed=2)))
    assert not np.array_equal(frames_of(speak_sound(avatar, short, emote, SpeakOptions(seed=1))), other)


def test_a_still_head_keeps_the_hair_and_an_emotion_moves_the_brows(avatar, emote, sound):
    still = frames_of(speak_sound(avatar, sound, emote, SpeakOptions(head="still", blinks=0)))
    felt = SpeakOptions(head="still", blinks=0, emotion=EmotionCurve.parse("surprise", 1.0))
    surprised = frames_of(speak_sound(avatar, sound, emote, felt))
    top = slice(0, 8)
    assert np.abs(np.diff(still[:, top].astype(int), axis=0)).max() <= 2
    brows = slice(int(avatar.stage.landmarks[-1, 10, 1]), int(avatar.stage.landmarks[-1, 6, 1]))
    assert np.abs(surprised[-1, brows].astype(int) - still[-1, brows]).mean() > 0.5


def test_a_motion_is_worn_at_any_rate_and_its_edges_can_be_seen(avatar, emote):
    seen = []
    motion = talking(40).resampled(30)
    frames = frames_of(speak_motion(avatar, motion, emote, SpeakOptions(), edges=seen.append))
    assert len(frames) == 40 == len(np.concatenate(seen)) and np.concatenate(seen).shape == frames.shape


def test_a_background_is_replaced(avatar, emote):
    options = SpeakOptions(background=Background.parse("#00b140"))
    frames = frames_of(speak_motion(avatar, talking(3), emote, options))
    assert (frames[:, :40] == (0, 0xB1, 0x40)).all()
    clear = frames_of(speak_motion(avatar, talking(3), emote, SpeakOptions(background=Background.parse("transparent"))))
    assert clear.shape[-1] == 4 and not clear[:, :40, :, 3].any() and (clear[:, 100:, :, 3] == 255).all()
    plain = dataclasses.replace(avatar, stage=dataclasses.replace(avatar.stage, masks=None))
    with pytest.raises(InputError, match="background: the avatar drawn does not know its background"):
        speak_motion(plain, talking(3), emote, options)


def begun(track, folder):
    """A film, and the work of a training that has tracked it."""
    film = folder / "film.mp4"
    film.write_bytes(b"a film")
    out = folder / "drawn.avatar.safetensors"
    work = WorkFolder.beside(out)
    work.path.mkdir()
    save_track(track, work.path / "track.safetensors")
    about = {"digest": digest_of([film]), "size": SIZE, "lines": ["1 film"]}
    write_json(work.path / "report.json", about)
    return TrainRequest(sources=(film,), out=out, name="drawn", minutes=0.001, consent=True, resume=True)


def no_detector():
    raise AssertionError("the films are tracked")


def test_training_goes_on_from_tracked_films_and_is_not_repeated(track, tmp_path):
    request, parts, lines, sheets = begun(track, tmp_path), [], [], []
    watch = Watch(line=lines.append, progress=lambda part, share: parts.append(part), preview=sheets.append)
    made = train_avatar(request, no_detector, watch)
    assert made.about.consent and made.about.notes == ("1 film",) and lines[0] == "1 film"
    assert list(dict.fromkeys(parts)) == ["speech", "masks", "renderer"] and sheets[0].dtype == np.uint8
    before = request.out.stat().st_mtime_ns
    assert ensure_avatar(request, no_detector, Watch()).about == made.about
    assert request.out.stat().st_mtime_ns == before
    with pytest.raises(InputError, match="holds a training of before; go on with it"):
        train_avatar(dataclasses.replace(request, resume=False), no_detector, Watch())


def test_cancel_passes_through(track, tmp_path):
    def cancel(part, share):
        raise Cancelled("enough")

    with pytest.raises(Cancelled):
        train_avatar(begun(track, tmp_path), no_detector, Watch(progress=cancel))


def test_a_name_of_other_films_is_refused(avatar, track, tmp_path):
    request = begun(track, tmp_path)
    save_avatar(avatar, request.out)
    with pytest.raises(InputError, match="made from other films; choose another name"):
        train_avatar(request, no_detector, Watch())


def test_work_of_other_films_is_refused(track, tmp_path):
    request = begun(track, tmp_path)
    request.sources[0].write_bytes(b"another film")
    with pytest.raises(InputError, match="begun with other films or another size"):
        train_avatar(request, no_detector, Watch())


def test_nothing_is_trained_without_consent(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    film = tmp_path / "anna.mp4"
    film.write_bytes(b"")
    assert main(["avatar", "train", str(film)]) == 2
    assert "--i-have-consent" in capsys.readouterr().err and list(tmp_path.iterdir()) == [film]


def test_commands_speak_and_tell(avatar, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save_avatar(avatar, avatar_path("drawn"))
    out = tmp_path / "a.mp4"
    assert main(["avatar", "--name", "drawn", "--voice", str(VOICE), "--out", str(out), "--max-seconds", "0.4"]) == 0
    assert "a.mp4: 10 frames at 25 fps" in capsys.readouterr().out and out.exists()
    assert main(["avatar", "info", "drawn", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["consent"] is True
    assert main(["avatar", "speak", "gone", str(VOICE), "--out", str(out)]) == 2
    assert "train it first" in capsys.readouterr().err
    clear = ["avatar", "speak", "drawn", str(VOICE), "--out", str(out), "--background", "transparent"]
    assert main(clear) == 2
    assert "give a folder for PNG pictures" in capsys.readouterr().err


def test_a_motion_keeps_the_head_still_and_follows_amounts(avatar, emote):
    motion = talking(20, turning=8)
    frames = frames_of(speak_motion(avatar, motion, emote, SpeakOptions(head="still", mouth=0)))
    assert np.abs(np.diff(frames[..., :3].astype(int), axis=0)).max() <= 2
    moved = frames_of(speak_motion(avatar, motion, emote, SpeakOptions(head="generated", mouth=0)))
    assert np.abs(np.diff(moved[:, : SIZE // 2].astype(int), axis=0)).max() > 20  # Eyes and brows turn with it.


def test_amounts_that_a_replayed_head_ignores_are_refused(avatar, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save_avatar(avatar, avatar_path("drawn"))
    speak = ["avatar", "speak", "drawn", str(VOICE), "--out", str(tmp_path / "a.mp4"), "--max-seconds", "0.2"]
    assert main([*speak, "--brows", "0.5"]) == 2
    assert "--brows: a replayed head moves as filmed" in capsys.readouterr().err
    assert main([*speak, "--brows", "0.5", "--head", "still"]) == 0
