import numpy as np
import pytest

from emo_core.avatar.pictures import Pictures, PicturesWriter
from emo_core.errors import InputError


def drawn(number, side=64):
    """A soft picture that differs from the others."""
    y, x = np.mgrid[:side, :side] / side
    return np.stack([x, y, np.full_like(x, number / 8)], axis=-1) * 255


@pytest.fixture
def pictures():
    writer = PicturesWriter()
    for number in range(5):
        writer.add(drawn(number).astype(np.uint8))
    return writer.done()


def test_pictures_come_back_nearly_unchanged(pictures):
    assert len(pictures) == 5
    for number in range(5):
        assert pictures[number].shape == (64, 64, 3)
        assert np.abs(pictures[number] - drawn(number)).mean() < 2
    assert np.array_equal(pictures[-1], pictures[4])
    with pytest.raises(IndexError):
        pictures[5]


def test_chosen_pictures_are_the_same_bytes(pictures):
    some = pictures.chosen([4, 0])
    assert len(some) == 2
    assert np.array_equal(some[0], pictures[4]) and np.array_equal(some[1], pictures[0])
    assert len(pictures.chosen([])) == 0


def test_arrays_give_the_same_pictures(pictures):
    assert np.array_equal(Pictures.from_arrays(*pictures.arrays())[3], pictures[3])


@pytest.mark.parametrize("ends", [[10, 5], [10**9], [], [[1]]])
def test_ends_that_do_not_fit_are_refused(pictures, ends):
    with pytest.raises(InputError, match="do not fit"):
        Pictures.from_arrays(pictures.data, np.array(ends, np.int64))


def test_bytes_that_are_no_jpeg_are_refused(pictures):
    broken = Pictures.from_arrays(np.zeros(100, np.uint8), np.array([100], np.int64))
    with pytest.raises(InputError, match="number 0 cannot be read"):
        broken[0]


def test_all_pictures_have_one_side():
    writer = PicturesWriter()
    writer.add(np.zeros((32, 32, 3), np.uint8))
    with pytest.raises(ValueError, match="expected uint8"):
        writer.add(np.zeros((64, 64, 3), np.uint8))
    with pytest.raises(ValueError, match="expected uint8"):
        writer.add(np.zeros((32, 32, 3), np.float32))
