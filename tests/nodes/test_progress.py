"""The progress bar and the previews."""

import pytest

from tests.conftest import CONFIG
from tests.nodes.conftest import module
from tests.nodes.test_chain import chain, sample


def test_progress_counts_all_clips(nodes, scene):
    steps = []
    module("comfy.utils").set_progress_bar_global_hook(lambda value, total, preview, **_: steps.append((value, total)))
    sample(nodes, scene, clip_index=3, clips=2)
    assert steps == [(7, 16), (8, 16), (9, 16), (10, 16)]


def test_progress_counts_frames_if_all_clips_are_finished(nodes, scene):
    """As after the samplers of an expanded graph. Cancel works there too."""
    _, motion = sample(nodes, scene, clip_index=0, clips=99)
    management, steps = module("comfy.model_management"), []
    module("comfy.utils").set_progress_bar_global_hook(lambda value, total, preview, **_: steps.append((value, total)))
    chain(nodes, scene, motion_frames=motion)
    assert steps == [(min(4 * clip, 31), 31) for clip in range(1, 9)]
    management.interrupt_current_processing()
    with pytest.raises(management.InterruptProcessingException):
        chain(nodes, scene, motion_frames=motion)


def test_previews_show_the_picture(nodes, scene, monkeypatch):
    arguments, shown = module("comfy.cli_args"), []
    monkeypatch.setattr(arguments.args, "preview_method", arguments.LatentPreviewMethod.Latent2RGB)
    module("comfy.utils").set_progress_bar_global_hook(lambda value, total, preview, **_: shown.append(preview))
    sample(nodes, scene, clip_index=0)
    assert [preview[0] for preview in shown] == ["JPEG", "JPEG"]
    assert shown[0][1].size == (CONFIG.image_size,) * 2
