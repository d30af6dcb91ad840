"""Limits and learning rates."""

import pytest

from emo_core.errors import InputError
from emo_core.training.checkpoints import Progress
from emo_core.training.schedule import Limits, Schedule


def test_the_first_limit_counts():
    assert Limits(steps=10, minutes=1).share(Progress(5, 5, 45.0)) == 0.75
    assert Limits(steps=10, minutes=10).share(Progress(5, 5, 45.0)) == 0.5


@pytest.mark.parametrize("limits", [{}, {"steps": 0}, {"minutes": -1.0}])
def test_impossible_limits_are_refused(limits):
    with pytest.raises(InputError, match="train:"):
        Limits(**limits)


def test_linear_schedule():
    schedule = Schedule(rate=2.0, warm_up=4, decay_from=0.5, decay_to=0.1)
    assert [schedule.at(step, 0.0) for step in range(5)] == [0.5, 1.0, 1.5, 2.0, 2.0]
    assert [schedule.at(9, share) for share in (0.5, 0.75, 1.0)] == [2.0, 1.0, 0.2]
    assert Schedule(rate=2.0).at(0, 1.0) == 2.0


def test_cosine_schedule():
    schedule = Schedule(rate=1.0, warm_up_share=0.1, decay="cosine", decay_from=0.0)
    assert schedule.at(0, 0.0) == pytest.approx(0.01)
    assert schedule.at(7, 0.05) == pytest.approx(0.51 * 0.99384, rel=1e-3)
    assert schedule.at(7, 0.5) == pytest.approx(0.5) and schedule.at(7, 1.0) == pytest.approx(0.0)
