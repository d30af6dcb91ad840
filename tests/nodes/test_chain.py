"""Clips from chained samplers, from one node and from an expanded graph; cancelled and continued videos."""

import dataclasses
import gc
from types import SimpleNamespace

import av
import numpy as np
import pytest
import torch

from tests.conftest import CONFIG
from tests.nodes.conftest import Graph, audio, module
from tests.nodes.test_nodes import problem

N = CONFIG.temporal.motion_frames


def frames_of(video):
    with av.open(video.get_stream_source()) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


def chain(nodes, scene, **options):
    settings = {"vae": scene["model"].vae, "seconds": 0.0, "mode": "loop", "return_frames": True, **options}
    alone = Graph({"chain": {"class_type": "MotionFrameChainer", "inputs": {}}})
    return alone.execute("chain", {**scene, **settings})


def sample(nodes, scene, clips=1, **changes):
    return nodes.EMOSampler.execute(clips=clips, **{**scene, **changes}).args


@pytest.fixture(scope="module")
def whole(nodes, inputs):
    """The video of one node, and its frames."""
    return chain(nodes, inputs)


def test_the_loop_gives_the_frames_of_the_core(nodes, scene, whole):
    """As `emo_core` generates it, frame by frame."""
    core = module(".emo_core.emo.sampling.generate")
    sampling = module(".nodes.emo.generation").Scene.from_inputs(**scene)
    latents = list(core.generate(scene["model"].network.model, sampling.subject, sampling.settings))
    expected = torch.cat([scene["model"].vae.decode(part) for part in latents])
    assert torch.equal(whole[1], expected)
    assert len(frames_of(whole[0])) == 31


def test_chained_samplers_give_the_same_clips(nodes, scene, whole):
    first, motion = sample(nodes, scene, clip_index=-1)
    second, motion = sample(nodes, scene, clip_index=-1, motion_frames=motion)
    assert motion.next == 2
    chained = scene["model"].vae.decode(torch.cat([first["samples"], second["samples"]]))
    assert torch.equal(chained, whole[1][:8])
    _, rest = chain(nodes, scene, motion_frames=motion)
    assert torch.equal(rest, whole[1])


def test_clips_in_a_row_equal_single_clips(nodes, scene, whole):
    latent, motion = sample(nodes, scene, clip_index=-1, clips=3)
    assert motion.next == 3
    assert torch.equal(scene["model"].vae.decode(latent["samples"]), whole[1][:12])
    latent, motion = sample(nodes, scene, clip_index=-1, clips=99, motion_frames=motion)
    assert motion.next == 8
    assert len(latent["samples"]) == 19
    assert torch.equal(chain(nodes, scene, motion_frames=motion)[1], whole[1])


def test_the_expanded_graph_gives_the_same_video(nodes, scene, whole):
    graph = Graph(graph_of(scene))
    graph.done |= {key: (scene[key],) for key in ("model", "reference", "emo_audio")} | {"vae": (scene["model"].vae,)}
    assert torch.equal(graph.value(["chain", 1]), whole[1])
    assert np.array_equal(frames_of(graph.value(["chain", 0])), frames_of(whole[0]))
    ran = [kind for kind, _ in graph.ran]
    assert ran.count("EMOSampler") == 1
    assert ran.count("MotionFrameChainer") == 2


def graph_of(scene, **changes):
    links = {name: [name, 0] for name in ("model", "reference", "emo_audio", "vae")}
    values = {name: value for name, value in scene.items() if name not in links}
    own = {"seconds": 0.0, "mode": "expanded", "return_frames": True}
    sources = {name: {"class_type": "Source", "inputs": {}} for name in links}
    return {**sources, "chain": {"class_type": "MotionFrameChainer", "inputs": {**links, **values, **own, **changes}}}


def test_an_expanded_graph_is_made_of_links(nodes, scene, monkeypatch):
    """Values would change the host's cache keys. A longer run has the same first nodes."""
    monkeypatch.setattr(module(".nodes.emo.expansion"), "FIRST_CLIPS", 2)

    def expansion(**changes):
        graph = Graph(graph_of(scene, **changes))
        graph.done |= {key: (scene[key],) for key in ("model", "reference", "emo_audio")} | {
            "vae": (scene["model"].vae,)
        }
        graph.run("chain")
        samplers = [n["inputs"] for n in graph.prompt.values() if n["class_type"] == "EMOSampler"]
        return [{key: value for key, value in inputs.items() if key != "motion_frames"} for inputs in samplers]

    short, long = expansion(seconds=0.5), expansion()
    assert [inputs["clips"] for inputs in short] == [2, 1]
    assert [inputs["clips"] for inputs in long] == [2, 2, 4]
    assert long[0] == short[0]
    assert all(inputs["model"] == ["model", 0] and inputs["emo_audio"] == ["emo_audio", 0] for inputs in long)
    assert [inputs["clip_index"] for inputs in long] == [0, 2, 4]


def test_auto_expands_where_the_host_can(nodes, scene, monkeypatch):
    args = module("comfy.cli_args").args
    should_expand = module(".nodes.emo.expansion").should_expand
    inputs = module(".nodes.emo.generation").Scene.from_inputs(**scene)
    pending = module(".nodes.emo.chaining").Chain(inputs, None, scene["emo_audio"], 0.0)
    graph = Graph(graph_of(scene))
    hidden = SimpleNamespace(dynprompt=graph, unique_id="chain")
    assert should_expand("auto", pending, hidden)
    assert not should_expand("loop", pending, hidden)
    problem(lambda: chain(nodes, scene, mode="fast"), "mode: unknown name 'fast'")
    # Links stand for whole lists: with a node upstream that outputs lists, the chainer loops.
    registry = module("nodes").NODE_CLASS_MAPPINGS
    monkeypatch.setitem(registry, "Splitter", SimpleNamespace(OUTPUT_IS_LIST=(True,)))
    graph.prompt["reference"] = {"class_type": "VAEEncode", "inputs": {"pixels": ["split", 0]}}
    graph.prompt["split"] = {"class_type": "Splitter", "inputs": {}}
    assert not should_expand("expanded", pending, hidden)
    graph.prompt["reference"]["inputs"] = {}
    assert should_expand("expanded", pending, hidden)
    monkeypatch.setattr(args, "cache_none", True)
    assert not should_expand("expanded", pending, hidden)
    assert "mode: unknown name" in nodes.MotionFrameChainer.validate_inputs("ddim", "fast")
    assert "scheduler: unknown name" in nodes.MotionFrameChainer.validate_inputs("plms", "auto")
    assert nodes.EMOSampler.validate_inputs("ddim") is True


def test_seconds_cut_frames_and_sound(nodes, scene, whole):
    video, frames = chain(nodes, scene, seconds=0.4)
    assert torch.equal(frames, whole[1][:10])
    with av.open(video.get_stream_source()) as container:
        assert container.streams.video[0].frames == 10
        assert float(container.streams.audio[0].duration * container.streams.audio[0].time_base) <= 0.4 + 0.07


def test_a_video_continues_the_frames_of_another(nodes, scene, whole):
    past = {"samples": torch.randn(N + 3, *scene["reference"]["samples"].shape[1:])}
    _, frames = chain(nodes, scene, film_frames=past, seconds=0.1)
    assert not torch.equal(frames, whole[1][: len(frames)])
    short = {"samples": past["samples"][: N - 1]}
    problem(lambda: chain(nodes, scene, film_frames=short), "film frames: got 1; tiny needs 2")


def test_bad_inputs_are_refused_by_name(nodes, scene):
    problem(lambda: sample(nodes, scene, clip_index=8), r"this sound has 8 clips, 0 \.\. 7")
    other = {"samples": torch.zeros(1, 4, 64, 64)}
    problem(lambda: sample(nodes, scene, clip_index=0, reference=other), "got latents of 4 x 64 x 64; tiny expects")
    problem(lambda: sample(nodes, scene, clip_index=0, steps=500), "steps: got 500")
    _, middle = sample(nodes, scene, clip_index=3)
    problem(lambda: chain(nodes, scene, motion_frames=middle), r"got clips 3 \.\. 3")
    foreign = dataclasses.replace(middle, latents=middle.latents[:, :2])
    problem(
        lambda: sample(nodes, scene, clip_index=4, motion_frames=foreign), "motion frames: got frames of another model"
    )
    other_encoder = dataclasses.replace(scene["emo_audio"], config=dataclasses.replace(CONFIG.audio, width=99))
    problem(lambda: sample(nodes, scene, clip_index=0, emo_audio=other_encoder), "features of another encoder")
    short = nodes.LoadAudioWav2Vec.execute(scene["model"], 0.0, 0.0, 0.24, 0.0, audio=audio())[0]
    _, brief = sample(nodes, scene, clips=9, clip_index=0, emo_audio=short)
    problem(lambda: chain(nodes, scene, motion_frames=brief), "got clips of another sound")


@pytest.mark.parametrize("mode", ["loop", "auto"])
def test_the_vae_of_another_model_is_refused_before_the_first_step(nodes, scene, mode):
    other = SimpleNamespace(latent_channels=CONFIG.vae.channels + 1)
    problem(lambda: chain(nodes, scene, vae=other, mode=mode), "vae: got a VAE for latents of")


def test_a_seed_from_another_node_may_be_negative(nodes, scene):
    wrapped = sample(nodes, scene, clip_index=0, seed=2**64 - 1)[0]["samples"]
    assert torch.equal(sample(nodes, scene, clip_index=0, seed=-1)[0]["samples"], wrapped)


def test_long_videos_expand_to_few_nodes():
    """The groups of clips start at the same clips in any longer video; an hour takes a dozen nodes."""
    group_clips = module(".nodes.emo.expansion").group_clips
    hour = list(group_clips(list(range(9000))))
    assert hour[:4] == [(0, 8), (8, 8), (16, 16), (32, 32)]
    assert len(hour) == 12
    for total in (1, 8, 9, 70, 500, 9000):
        groups = list(group_clips(list(range(total))))
        assert [first for first, _ in groups] == [sum(count for _, count in groups[:i]) for i in range(len(groups))]
        assert sum(count for _, count in groups) == total
        assert groups[:-1] == hour[: len(groups) - 1]
    assert list(group_clips(list(range(14, 20)))) == [(14, 2), (16, 4)]  # After finished clips.


def test_every_condition_changes_the_frames(nodes, scene, model):
    plain = sample(nodes, scene, clip_index=0)[0]["samples"]
    mask = torch.zeros(1, 16, 16)
    mask[:, 4:8] = 1
    speed = nodes.SpeedCondition.execute(model, 0.9, "")[0]
    for change in ({"mask": mask}, {"emo_speed": speed}, {"audio_scale": 5.0}, {"reference_scale": 2.0}, {"seed": 6}):
        changed = sample(nodes, scene, clip_index=0, **change)[0]["samples"]
        assert not torch.equal(changed, plain), change
    empty, white = torch.zeros(1, 64, 64), torch.ones(1, 480, 832)
    for same in (*({"mask": mask} for mask in (empty, empty + 0.04, white, white * 0)), {"audio_scale": 2.0}):
        again = sample(nodes, scene, clip_index=0, **same)[0]["samples"]
        assert torch.equal(again, plain), same


def test_a_mask_of_another_picture_is_refused(nodes, scene):
    """Scaled to the square, its region would be in the wrong place."""
    photo = torch.zeros(1, 48, 64)
    photo[:, 8:24, 40:56] = 1
    problem(
        lambda: sample(nodes, scene, clip_index=0, mask=photo), r"mask: got 64 x 48; .* wire the mask of Face Locator"
    )
    problem(lambda: chain(nodes, scene, mask=photo), "mask: got 64 x 48")


@pytest.mark.parametrize("stop_at", [1, 3, 12])
def test_cancel_stops_within_a_step_and_leaves_no_file(nodes, scene, whole, stop_at):
    """The next run is not affected."""
    management, steps = module("comfy.model_management"), []
    folder = module(".nodes.host.folders").temporary_folder()

    def hook(value, total, preview, node_id=None, prompt_id=None):
        steps.append((value, total))
        if len(steps) == stop_at:
            management.interrupt_current_processing()

    module("comfy.utils").set_progress_bar_global_hook(hook)
    gc.collect()  # Videos of earlier tests go with their objects.
    before = set(folder.iterdir())
    with pytest.raises(management.InterruptProcessingException):
        chain(nodes, scene)
    assert len(steps) == stop_at
    assert steps[-1] == (stop_at, 16)
    assert set(folder.iterdir()) == before
    module("comfy.utils").set_progress_bar_global_hook(None)
    assert torch.equal(chain(nodes, scene, seconds=0.3)[1], whole[1][:8])


def test_two_samplers_do_not_disturb_each_other(nodes, scene):
    """Interleaved, step by step, on one model: the results are those of separate runs."""
    other = {**scene, "seed": 9, "audio_scale": 1.0}
    alone = [sample(nodes, inputs, clip_index=0)[0]["samples"] for inputs in (scene, other)]
    inside = []

    def hook(value, total, preview, node_id=None, prompt_id=None):
        if not inside:
            inside.append(True)
            inside[0] = sample(nodes, other, clip_index=0)[0]["samples"]

    module("comfy.utils").set_progress_bar_global_hook(hook)
    outer = sample(nodes, scene, clip_index=0)[0]["samples"]
    assert torch.equal(outer, alone[0])
    assert torch.equal(inside[0], alone[1])
