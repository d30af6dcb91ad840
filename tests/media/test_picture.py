"""Reading pictures of all kinds."""

import io

import numpy as np
import pytest
from PIL import Image, ImageCms, PngImagePlugin

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


XMP = '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF><rdf:Description tiff:Orientation="6"/></rdf:RDF></x:xmpmeta>'


@pytest.mark.parametrize("large", [False, True])
def test_a_png_with_its_orientation_in_a_text_is_turned(tmp_path, large):
    texts = PngImagePlugin.PngInfo()
    texts.add_itxt("XML:com.adobe.xmp", XMP)
    texts.add_text("workflow", "x" * (2**21 if large else 10), zip=True)
    Image.fromarray(PICTURE).convert("RGB").save(tmp_path / "xmp.png", pnginfo=texts)
    assert load_picture(tmp_path / "xmp.png").shape == (100, 80, 3)


def grey_profile():
    """The smallest profile of grey pictures: a table of three tags."""
    curve = b"curv" + bytes(4) + (1).to_bytes(4, "big") + (0x0233).to_bytes(2, "big") + bytes(2)
    white = b"XYZ " + bytes(4) + b"".join(round(x * 65536).to_bytes(4, "big") for x in (0.9642, 1.0, 0.8249))
    text = b"desc" + bytes(4) + (5).to_bytes(4, "big") + b"grey\0" + bytes(78) + bytes(1)
    tags, start = b"", 128 + 4 + 12 * 3
    for name, data in ((b"desc", text), (b"wtpt", white), (b"kTRC", curve)):
        tags += name + start.to_bytes(4, "big") + len(data).to_bytes(4, "big")
        start += len(data)
    head = bytearray(128)
    head[0:4], head[8:12], head[12:24], head[36:40] = start.to_bytes(4, "big"), b"\2\x10\0\0", b"mntrGRAYXYZ ", b"acsp"
    head[68:80] = white[8:]
    return bytes(head) + (3).to_bytes(4, "big") + tags + text + white + curve


def test_a_profile_of_grey_pictures_leaves_the_colours(tmp_path):
    profile = grey_profile()
    assert ImageCms.ImageCmsProfile(io.BytesIO(profile)).profile.xcolor_space == "GRAY"
    colours = np.stack([PICTURE, 255 - PICTURE, PICTURE // 2], -1)
    Image.fromarray(colours).save(tmp_path / "colour.webp", lossless=True, icc_profile=profile)
    assert np.array_equal(load_picture(tmp_path / "colour.webp"), colours)
    Image.fromarray(PICTURE).save(tmp_path / "grey.jpg", quality=100, icc_profile=profile)
    loaded = load_picture(tmp_path / "grey.jpg")
    assert (loaded[..., 0] == loaded[..., 1]).all() and loaded.std() > 30


@pytest.mark.parametrize("scale", [1 / 255, 1.0])
def test_float_pictures_of_both_ranges(tmp_path, scale):
    Image.fromarray(PICTURE.astype(np.float32) * np.float32(scale)).save(tmp_path / "f.tiff")
    assert np.abs(load_picture(tmp_path / "f.tiff")[..., 0].astype(int) - PICTURE).max() <= 1
