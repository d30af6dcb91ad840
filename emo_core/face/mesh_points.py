"""Groups of MediaPipe's 478 face mesh points. Left and right are the person's own."""

INNER_LIPS_UPPER = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308)
"""From the right corner of the mouth to the left one."""
INNER_LIPS_LOWER = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308)
OUTER_LIPS_UPPER = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291)
OUTER_LIPS_LOWER = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291)
MOUTH_CORNERS = (61, 291)
RIGHT_LID_UPPER = (33, 246, 161, 160, 159, 158, 157, 173, 133)
"""From the outer corner of the eye to the inner one."""
RIGHT_LID_LOWER = (33, 7, 163, 144, 145, 153, 154, 155, 133)
LEFT_LID_UPPER = (263, 466, 388, 387, 386, 385, 384, 398, 362)
LEFT_LID_LOWER = (263, 249, 390, 373, 374, 380, 381, 382, 362)
RIGHT_IRIS = (468, 469, 470, 471, 472)
"""Centre first."""
LEFT_IRIS = (473, 474, 475, 476, 477)
EYES = ((RIGHT_LID_UPPER, RIGHT_LID_LOWER, RIGHT_IRIS), (LEFT_LID_UPPER, LEFT_LID_LOWER, LEFT_IRIS))
"""Upper lid, lower lid and iris of both eyes."""
RIGHT_BROW = (46, 53, 52, 65, 55, 70, 63, 105, 66, 107)
LEFT_BROW = (276, 283, 282, 295, 285, 300, 293, 334, 296, 336)
EYE_CORNERS = (33, 263)
"""Outer corners; their distance is the unit of the rig."""
CHIN = 152
FACE_OVAL = (
    *(10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377),
    *(152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109),
)
"""Outline of the face, from the forehead to the person's left."""
