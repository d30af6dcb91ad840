"""Reading pictures of all kinds."""

import numpy as np
import pytest
from PIL import Image

from emo_core.errors import InputError
from emo_core.media.picture import load_picture

PICTURE = (np.mgrid[0:80, 0:100][0] * 3).astype(np.uint8)


def test_rgb_grey_and_palette_pictures_give_rgb(tmp_path):
    grey = Image.fromarray(PICTURE)
    for name, picture in (("rgb", grey.convert("RGB")), ("grey", grey), ("palette", grey.convert("P"))):
        picture.save(tmp_path / f"{name}.png")
        loaded = load_picture(tmp_path / f"{name}.png")
        assert loaded.shape == (80, 100, 3) and loaded.dtype == np.uint8
        assert np.abs(loaded[..., 0].astype(int) - PICTURE).max() <= 1


def test_transparency_is_laid_on_white(tmp_path):
    rgba = np.zeros((80, 100, 4), np.uint8)
    rgba[:, :50, 3] = 255
    Image.fromarray(rgba).save(tmp_path / "rgba.png")
    loaded = load_picture(tmp_path / "rgba.png")
    assert (loaded[:, :50] == 0).all() and (loaded[:, 50:] == 255).all()


def test_sixteen_bit_grey_is_scaled(tmp_path):
    Image.fromarray(PICTURE.astype(np.uint16) * 257).save(tmp_path / "deep.png")
    assert np.abs(load_picture(tmp_path / "deep.png")[..., 0].astype(int) - PICTURE).max() <= 1


def test_phone_pictures_are_turned_upright(tmp_path):
    picture = Image.fromarray(PICTURE).convert("RGB")
    exif = picture.getexif()
    exif[0x0112] = 6
    picture.save(tmp_path / "phone.jpg", exif=exif)
    assert load_picture(tmp_path / "phone.jpg").shape == (100, 80, 3)


def test_missing_empty_and_wrong_files_are_refused(tmp_path):
    with pytest.raises(InputError, match="no file at"):
        load_picture(tmp_path / "nobody.png")
    (tmp_path / "empty.png").write_bytes(b"")
    with pytest.raises(InputError, match=r"\(0 bytes\) cannot be read as a picture"):
        load_picture(tmp_path / "empty.png")
    (tmp_path / "text.png").write_text("words")
    with pytest.raises(InputError, match="cannot be read as a picture"):
        load_picture(tmp_path / "text.png")
