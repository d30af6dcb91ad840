"""The contact sheet."""

import numpy as np

from emo_core.media.contact_sheet import contact_sheet


def test_the_sheet_shows_true_over_generated():
    true, generated = np.full((7, 8, 8, 3), 200, np.uint8), np.full((9, 8, 8, 3), 50, np.uint8)
    sheet = np.asarray(contact_sheet(true, generated, columns=3, side=16))
    assert sheet.shape == (32, 48, 3)
    assert sheet[:16].min() == 200 and sheet[16:].max() == 50
