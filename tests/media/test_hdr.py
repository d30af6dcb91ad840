"""HDR film: known codes of BT.2100 and their SDR."""

import numpy as np
import pytest

from emo_core.media.hdr import HLG, PQ, to_sdr


def grey(code):
    return np.full((1, 1, 3), round(code * 65535), np.uint16)


@pytest.mark.parametrize(("curve", "code"), [(HLG, 0.75), (PQ, 0.5806)])
def test_paper_white_is_bright_but_not_clipped(curve, code):
    """203 nits in both curves (ITU-R BT.2408, table 1)."""
    value = to_sdr(grey(code), curve)
    assert value.dtype == np.uint8 and len(set(value.ravel())) == 1
    assert 235 <= value[0, 0, 0] <= 252


@pytest.mark.parametrize(("curve", "code"), [(HLG, 0.4), (PQ, 0.3929)])
def test_middle_grey_keeps_its_nits(curve, code):
    """About 30 nits: below the knee, SDR shows the same light."""
    nits = 100 * (to_sdr(grey(code), curve)[0, 0, 0] / 255) ** 2.4
    expected = {HLG: 1000 * (0.4**2 / 3) ** 1.2, PQ: 30.0}[curve]
    assert nits == pytest.approx(expected, rel=0.05)


def test_black_and_peak():
    for curve in (HLG, PQ):
        assert to_sdr(grey(0.0), curve).max() == 0
        assert to_sdr(grey(1.0), curve).min() >= 254
    codes = np.linspace(0, 65535, 1000).astype(np.uint16)[None, :, None].repeat(3, axis=2)
    assert (np.diff(to_sdr(codes, HLG)[0, :, 0].astype(int)) >= 0).all()
