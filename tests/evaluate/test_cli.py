"""The `evaluate` command, on real clips."""

import json
from dataclasses import replace

import numpy as np
import pytest
import soundfile

from emo_core.__main__ import main
from emo_core.errors import InputError
from tests.conftest import DATA

CLIPS = sorted((DATA / "grid_s1").glob("*.mp4"))[:2]


def test_bad_options_are_refused(tmp_path, capsys):
    pytest.importorskip("mediapipe")
    (tmp_path / "videos").mkdir()
    (tmp_path / "file").touch()
    generated = ["--generated", str(tmp_path / "videos")]
    for arguments, message in (
        ([], "give --generated, or --checkpoint"),
        (["--generated", str(tmp_path / "gone")], "no file or folder at"),
        (["--generated", str(tmp_path)], "no videos in"),
        (["--generated", str(tmp_path), "--inception", "gone.pth"], "inception: no file or folder at"),
        ([*generated, "--other", str(tmp_path)], "--other is compared with the true videos; give --true"),
        ([*generated, "--limit", "1", "--seconds", "2"], "--limit, --seconds: only for --checkpoint and --model"),
        ([*generated, "--out", str(tmp_path / "file")], "out: cannot write"),
        (["--checkpoint", "x", "--videos", "y", "--workers", "0"], "expected limit >= 0, workers >= 1"),
        (["--checkpoint", "x", "--true", "y"], "leave --true, --other and"),
        (["--checkpoint", "models/emo-mini.safetensors"], "a model needs --videos"),
        (
            ["--checkpoint", "models/emo-mini.safetensors", "--videos", "x", "--guidance-interval", "0.9,0.1"],
            "start <= end",
        ),
        (["--generated", str(tmp_path), "--region", "0.5,0,0.4,1"], "expected 0 <= left < right"),
        (["--generated", str(tmp_path), "--face-model", str(tmp_path / "no.task")], "no file at"),
    ):
        assert main(["evaluate", "--out", str(tmp_path / "out"), *arguments]) == 2, arguments
        assert message in capsys.readouterr().err


@pytest.mark.skipif(len(CLIPS) < 2, reason="needs the GRID clips (EMO_DATA)")
def test_true_clips_equal_themselves_and_controls_score_lower(tmp_path, capsys):
    pytest.importorskip("mediapipe")
    for folder, order in (("generated", CLIPS), ("other", CLIPS[::-1])):
        (tmp_path / folder).mkdir()
        for clip, source in zip(CLIPS, order, strict=True):
            (tmp_path / folder / clip.name).write_bytes(source.read_bytes())
    folders = [
        "--generated",
        str(tmp_path / "generated"),
        "--true",
        str(tmp_path / "generated"),
        "--other",
        str(tmp_path / "other"),
    ]
    assert main(["evaluate", *folders, "--out", str(tmp_path / "out"), "--clip-frames", "12"]) == 0
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    for row in report["videos"].values():
        assert row["face_found"] == 1
        assert row["opening_correlation"] == pytest.approx(1)
        assert row["opening_correlation_other_sound"] < 0.8
        assert row["opening_correlation_other_sound"] == pytest.approx(row["floor_true_against_true"])
        assert row["identity_distance_true"] > 0
        assert row["envelope_correlation"] > row["envelope_correlation_other_sound"]
    assert any(note.startswith("FID: not computed; give --inception") for note in report["notes"])
    assert "FID" not in report["summary"]["Standard metrics"]
    page = (tmp_path / "out" / "report.html").read_text()
    assert all(f"pictures/{clip.stem}.png" in page for clip in CLIPS)
    assert "opening_correlation: 1" in capsys.readouterr().out


@pytest.mark.skipif(not CLIPS, reason="needs the GRID clips (EMO_DATA)")
def test_a_silent_video_does_not_stop_the_others(checkpoint, tmp_path, capsys):
    pytest.importorskip("mediapipe")
    from emo_core.emo.sampling.generate import Settings
    from emo_core.evaluate.generate import Plan, generate_videos
    from emo_core.media.video_writer import VideoWriter
    from emo_core.metrics.observation import frames_at, open_source

    silence = tmp_path / "silent.flac"
    soundfile.write(silence, np.zeros(48000), 16000)
    pictures = [picture for _, picture in frames_at(open_source(CLIPS[0]), 25)]
    with VideoWriter(tmp_path / "silent.mp4", fps=25, size=pictures[0].shape[1::-1], sound=silence) as writer:
        for picture in pictures:
            writer.write(picture)
    videos = (tmp_path / "silent.mp4", *CLIPS)
    plan = Plan(
        checkpoint=checkpoint, videos=videos, out=tmp_path / "generated", settings=Settings(steps=1), seconds=1.0
    )
    assert generate_videos(plan) == len(CLIPS)
    assert "silent.mp4: not generated" in capsys.readouterr().err
    names = {path.stem for path in (tmp_path / "generated").glob("*/*.mp4")}
    assert len(names) == len(CLIPS)


@pytest.mark.skipif(not CLIPS, reason="needs the GRID clips (EMO_DATA)")
def test_generation_writes_true_generated_and_control_and_resumes(checkpoint, tmp_path):
    """The tiny model draws no faces; files, lengths and resuming are as with a trained one."""
    pytest.importorskip("mediapipe")
    from emo_core.audio.augment import Alteration
    from emo_core.emo.sampling.generate import Settings
    from emo_core.evaluate.generate import Plan, generate_videos
    from emo_core.metrics.observation import frames_at, open_source

    plan = Plan(checkpoint=checkpoint, videos=tuple(CLIPS), out=tmp_path, settings=Settings(steps=1), seconds=1.0,
                alteration=Alteration(noise=10), speed=0.5, region=(0.2, 0.2, 0.8, 0.8))  # fmt: skip
    assert generate_videos(plan) == len(CLIPS)
    files = {name: sorted((tmp_path / name).glob("*.mp4")) for name in ("true", "generated", "other")}
    assert {name: len(videos) for name, videos in files.items()} == {"true": 2, "generated": 2, "other": 2}
    for videos in files.values():
        frames = [picture for _, picture in frames_at(open_source(videos[0]), 25)]
        assert np.stack(frames).shape == (25, 64, 64, 3)
    with pytest.raises(InputError, match="has videos of another checkpoint or other settings"):
        generate_videos(replace(plan, speed=0.1))
    single = replace(plan, videos=tuple(CLIPS[:1]), out=tmp_path / "alone")
    assert generate_videos(single) == 1
    assert not (tmp_path / "alone" / "other").exists()  # There is no other sound.
    stamps = [path.stat().st_mtime_ns for path in files["generated"]]
    generate_videos(plan)
    assert stamps == [path.stat().st_mtime_ns for path in files["generated"]]
