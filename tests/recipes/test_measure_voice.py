import json

import soundfile

from emo_core.command_line import run_command
from emo_core.media.sound import SAMPLE_RATE
from recipes.emote_mini.measure_voice import build_parser, chance, roc_area
from tests.emote.test_voice_emotion import CALM, SHOUT, speech


def test_the_area_counts_pairs_in_order():
    assert roc_area([2, 3], [0, 1]) == 1
    assert roc_area([1, 1], [1, 1]) == 0.5
    assert roc_area([0, 3], [1, 2]) == 0.5
    assert 0.5 < chance({True: [1.0, 2, 3, 4], False: [5.0, 6, 7, 8]}) <= 1


def test_tables_of_acted_and_calm_voices(tmp_path, capsys):
    for folder, name, voice in (
        ("acted", "a_angry_strong", SHOUT),
        ("acted", "b_neutral_normal", CALM),
        ("calm", "c", CALM),
    ):
        (tmp_path / folder).mkdir(exist_ok=True)
        soundfile.write(tmp_path / folder / f"{name}.flac", 0.1 * speech(3, **voice), SAMPLE_RATE)
    options = ["--acted", tmp_path / "acted", "--calm", tmp_path / "calm", "--out", tmp_path / "table.json"]
    assert run_command(build_parser, [str(part) for part in options]) == 0
    table = json.loads((tmp_path / "table.json").read_text())
    assert json.loads(capsys.readouterr().out) == table
    assert table["acted"]["table"]["neutral"] == {"neutral": 1} and "neutral" not in table["acted"]["table"]["anger"]
    assert table["acted"]["roc_area"]["arousal"] == 1
    assert table["calm"]["calm"]["neutral_files"] == 1


def test_an_empty_folder_is_one_clear_line(tmp_path, capsys):
    assert run_command(build_parser, ["--calm", str(tmp_path)]) == 2
    assert "no sounds in" in capsys.readouterr().err
