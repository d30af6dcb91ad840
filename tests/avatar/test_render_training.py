"""Training of the mouth's network, and the renderer that uses it."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from emo_core.avatar.inputs import composed
from emo_core.avatar.patches import window
from emo_core.avatar.render_data import MouthFilm
from emo_core.avatar.render_training import (
    WEIGHTS,
    Hooks,
    RenderSettings,
    RenderTask,
    as_films,
    judged,
    nothing,
    train_on,
    train_renderer,
)
from emo_core.avatar.renderer import MouthRenderer
from emo_core.avatar.unet import MouthConfig, MouthNet, load_base, save_net
from emo_core.errors import InputError
from emo_core.face.rig import load_rig
from emo_core.training.checkpoints import latest
from emo_core.training.discriminator import balanced, matching_loss
from emo_core.training.log import read_log
from emo_core.training.schedule import Limits

from .faces import drawn_track, talking

SIZE = 64
SMALL = MouthConfig(widths=(8, 12, 16), hidden=16)
SETTINGS = RenderSettings(groups=1, validate_every=3, rate=3e-3)


@pytest.fixture(scope="module")
def rig():
    return load_rig()


@pytest.fixture(scope="module")
def track(rig):
    return drawn_track(rig, size=2 * SIZE)


@pytest.fixture(scope="module")
def film(track, rig):
    codes = np.random.default_rng(0).normal(size=(len(track), 128)).astype(np.float16)
    return MouthFilm(track, rig, codes, SIZE, mouths=30)


def small_net() -> MouthNet:
    torch.manual_seed(0)
    return MouthNet(SMALL)


def film_batch(task: RenderTask):
    """A batch of three successive frames."""
    return next(
        batch
        for seed in range(50)
        if (batch := task._draw(torch.Generator().manual_seed(seed))).group == 3  # Half of them are single frames.
    )


def test_mouths_come_from_elsewhere(film):
    for frame in range(len(film.track)):
        for mouth in (film.path[frame], *film._near[frame]):
            assert film.take[mouth] != film.take[frame] or abs(mouth - frame) >= 25


def test_a_group_is_successive_and_shares_its_mouth(film):
    group = film.draw(3, np.random.default_rng(1))
    assert group.targets.shape == (3, SIZE, SIZE, 3) and group.drawings.edges.shape == (3, 4, SIZE, SIZE)
    assert np.abs(np.diff(group.points, axis=0)).max() < 0.2 * SIZE
    assert len(np.unique(group.drawings.mouth_edges.reshape(3, -1), axis=0)) == 1


def test_frames_that_are_not_shown_are_never_drawn(track, rig):
    hidden = np.arange(len(track)) % 40 < 20
    film = MouthFilm(replace(track, shown=~hidden), rig, None, SIZE, mouths=10)
    assert not hidden[film.mouths].any() and not any(hidden[start : start + 3].any() for start in film._starts[3])


def parts_of(film):
    """What the generator's loss is made of."""
    task = RenderTask(small_net(), [film], SETTINGS)
    batch = film_batch(task)
    output = task.net(batch.inputs, batch.controls)
    drawn, _, _ = composed(output, batch.inputs, batch.bases, torch.from_numpy(window(SIZE)))
    return task, batch, drawn


@pytest.mark.parametrize("kind", ["pictures", "films"])
def test_what_the_discriminators_say_reaches_the_network(film, kind):
    """The control, a detached picture, reaches nothing."""
    task, _, drawn = parts_of(film)
    judge = getattr(task, kind)
    view = judged if kind == "pictures" else lambda pictures: as_films(judged(pictures))
    weights = [value for value in task.net.parameters() if value.ndim > 1]
    reached = torch.autograd.grad(-judge(view(drawn)).mean(), weights, allow_unused=True, retain_graph=True)
    assert sum(float(part.abs().sum()) for part in reached if part is not None) > 0
    assert reached[[value is task.net.last.weight for value in weights].index(True)].abs().sum() > 0
    cut = torch.autograd.grad(
        -judge(view(drawn.detach())).mean(), weights + list(judge.parameters()), allow_unused=True
    )
    assert all(part is None for part in cut[: len(weights)]) and any(part is not None for part in cut)


@pytest.mark.parametrize("kind", ["pictures", "films"])
def test_the_adversarial_loss_has_its_share_of_the_gradient(film, kind):
    task, batch, drawn = parts_of(film)
    judge = getattr(task, kind)
    view = judged if kind == "pictures" else lambda pictures: as_films(judged(pictures))
    other = (drawn - batch.targets).abs().mean()
    last = task.net.last.weight
    for loss in (-judge(view(drawn)).mean(), matching_loss(judge, view(batch.targets), view(drawn))):
        term = balanced(loss, other, last, 0.1)
        norms = [torch.autograd.grad(part, last, retain_graph=True)[0].norm() for part in (term, other)]
        assert float(norms[0] / norms[1]) == pytest.approx(0.1, rel=1e-2)


def test_discriminators_begin_in_the_second_half(film):
    task = RenderTask(small_net(), [film], SETTINGS)
    batch = film_batch(task)
    early, late = ([float(loss.detach()) for loss in task.losses(batch, networks(task), share)] for share in (0.1, 0.9))
    assert early[:2] == [0, 0] and min(late[:2]) > 0 and late[2] != pytest.approx(early[2], abs=1e-6)
    assert float(nothing(task.films)) == 0


def networks(task: RenderTask):
    return task.pictures, task.films, task.net


@pytest.mark.slow
def test_it_learns(film):
    net, lines = small_net(), []
    with torch.no_grad():
        net.last.bias[:4] = 1.0  # A reddish fault.
    task = RenderTask(net, [film], SETTINGS)
    batches = [task._draw(torch.Generator().manual_seed(1000 + seed)) for seed in range(6)]

    def loss() -> float:
        with torch.no_grad():
            return float(np.mean([list(task.losses(batch, networks(task), 0.1))[2] for batch in batches]))

    before = loss()
    train_on(net, [film], replace(SETTINGS, rate=1e-2), Limits(steps=40), None, hooks=Hooks(report=lines.append))
    assert loss() < 0.8 * before and lines


def test_a_resumed_run_equals_an_unbroken_one(film, tmp_path):
    whole, broken, again = small_net(), small_net(), small_net()
    train_on(whole, [film], SETTINGS, Limits(steps=9), tmp_path / "whole")
    seen = []

    def stop(share: float) -> None:
        seen.append(share)
        if len(seen) == 8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_on(broken, [film], SETTINGS, Limits(steps=9), tmp_path / "broken", hooks=Hooks(progress=stop))
    assert latest(tmp_path / "broken").name == "step-00000006"
    train_on(again, [film], SETTINGS, Limits(steps=9), tmp_path / "broken", resume=True)
    for name, value in whole.state_dict().items():
        assert torch.equal(value, again.state_dict()[name]), name
    assert read_log(tmp_path / "broken")[-1]["films_loss"] > 0
    stored = load_base(latest(tmp_path / "whole") / WEIGHTS)
    assert torch.equal(stored.last.weight, whole.last.weight.half().float())


@pytest.mark.slow
def test_a_person_is_learnt_and_drawn(rig, tmp_path):
    """The whole way at the real size, with a tiny network."""
    track, previews, shares = drawn_track(rig, size=256, takes=(30, 30)), [], []
    save_net(small_net(), tmp_path / "base.safetensors")
    net, gallery = train_renderer(
        track,
        None,
        tmp_path / "base.safetensors",
        minutes=0.02,
        folder=tmp_path / "run",
        preview=previews.append,
        progress=shares.append,
    )
    assert previews[-1].shape == (3 * 128, 8 * 128, 3) and shares == sorted(shares)
    renderer = MouthRenderer(net, gallery, rig, track.neutral)
    frames = slice(0, 8)
    squares = np.stack([track.pictures[number] for number in range(8)])
    target = talking(8, phase=2)
    drawn = renderer.draw(squares, track.landmarks[frames], track.motion[frames], target)
    assert drawn.shape == squares.shape and drawn.dtype == np.uint8
    assert np.array_equal(drawn[:, :90], squares[:, :90]), "the eyes stay"
    assert np.abs(drawn.astype(int) - squares).max() > 30, "the mouth is another"

    stored = MouthRenderer.from_arrays(renderer.arrays(), rig)
    again = stored.draw(squares, track.landmarks[frames], track.motion[frames], target)
    assert np.abs(again.astype(int) - drawn).max() <= 3  # The weights have 16 bits.


@pytest.fixture(scope="module")
def renderer(film, rig):
    return MouthRenderer(small_net().eval(), film.gallery(), rig, film.track.neutral)


def test_blocks_continue_each_other(renderer, track):
    squares = np.stack([track.pictures[number] for number in range(20)])
    motion, target = track.motion[:20], talking(20, phase=1)

    def drawn(cuts: list[int]) -> np.ndarray:
        renderer.restart()
        parts = [slice(*pair) for pair in zip([0, *cuts], [*cuts, 20], strict=True)]
        return np.concatenate(
            [renderer.draw(squares[part], track.landmarks[part], motion[part], target[part]) for part in parts]
        )

    whole, blocks = drawn([]), drawn([7, 13])
    assert np.array_equal(whole[0], blocks[0])
    assert np.abs(whole.astype(int) - blocks).mean() < 0.5


def test_squares_of_another_size_are_refused(renderer, track):
    with pytest.raises(InputError, match="squares: got"):
        renderer.draw(np.zeros((1, 32, 32, 3), np.uint8), track.landmarks[:1], track.motion[:1], track.motion[:1])


def test_broken_arrays_are_refused(renderer, rig):
    arrays = renderer.arrays()
    for change in ({"config": None}, {"net.stem.weight": None}, {"neutral": np.zeros((3, 3))}, {"gallery.size": None}):
        broken = {name: values for name, values in (arrays | change).items() if values is not None}
        with pytest.raises(InputError, match="again"):
            MouthRenderer.from_arrays(broken, rig)
