"""The mouth in coordinates of the skull: a patch of pixels, the shape of the lips, and the way to a picture and back.

The patch is fixed to the skull, so upper teeth rest in it, and lower teeth and tongue move with the jaw. Its unit is the
distance of the corners of the neutral mouth; its origin is the middle of the neutral lips.

Shape legend: F frames, H x W the patch, h x w a picture. All coordinates are continuous: a pixel's centre is at + .5.
"""

import torch
from torch import Tensor
from torch.nn import functional

UPPER = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308)
"""Landmarks of the upper lip's inner edge, from the picture's left to its right."""
LOWER = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308)
"""The same of the lower lip; both begin and end in the corners."""
CORNERS, MIDDLE, CHIN = (61, 291), (13, 14), 152
"""Outer corners of the mouth, middle of the inner lips, chin."""
INNER = (*UPPER, *LOWER[1:-1])
"""The 20 points whose places in the patch describe the lips; as a polygon: UPPER, then LOWER backwards."""
DESCRIPTOR = 2 * len(INNER) + 4
"""Numbers of a lip descriptor."""
WIDTH, HEIGHT = 128, 108
"""Pixels of the patch."""
LEFT, TOP, SPAN = -0.65, -0.35, 1.3
"""Left and upper edge and width of the patch in its unit; a pixel is SPAN / WIDTH wide and high."""


def patch_transform(skull: Tensor) -> Tensor:
    """Similarity from pixels of the patch to pixels of the picture.

    Args:
        skull: (F, 478, 2 or 3) or (478, ..), the points of the person's neutral face under each frame's head pose, in pixels
            of the picture.

    Returns:
        (F, 2, 3) affine maps, or (2, 3).
    """
    points = skull[..., :2]
    left, right = points[..., CORNERS[0], :], points[..., CORNERS[1], :]
    across = right - left
    down = torch.stack([-across[..., 1], across[..., 0]], dim=-1)
    # The lips' middle is as near to the camera as the teeth, so it turns with them when the head turns.
    origin = 0.25 * (left + right) + 0.25 * points[..., MIDDLE, :].sum(-2)
    corner = origin + LEFT * across + TOP * down
    return torch.stack([across * SPAN / WIDTH, down * SPAN / WIDTH, corner], dim=-1)


def to_patch(points: Tensor, transform: Tensor) -> Tensor:
    """Points of the picture (F, P, 2) in the patch's unit (not its pixels), relative to its origin."""
    pixels = torch.linalg.solve(transform[..., :2], (points - transform[..., None, :, 2]).transpose(-1, -2))
    return pixels.transpose(-1, -2) * (SPAN / WIDTH) + pixels.new_tensor([LEFT, TOP])


def lip_descriptor(points: Tensor, skull: Tensor) -> Tensor:
    """The shape of the lips in coordinates of the skull.

    Args:
        points: (F, 478, 2 or 3) of each frame, in pixels.
        skull: the neutral face's points under the same head pose, (F, 478, 2 or 3); or (478, ..) if the points are unposed.

    Returns:
        (F, DESCRIPTOR): x and y of the 20 points of INNER, movement of the chin, size and slope of the outer mouth.
    """
    transform = patch_transform(skull)
    transform = transform.expand(len(points), 2, 3)
    skull = skull[..., :2].expand(len(points), -1, 2)
    inner = to_patch(points[:, INNER, :2], transform)
    chin = to_patch(points[:, [CHIN], :2], transform) - to_patch(skull[:, [CHIN]], transform)
    corners = to_patch(points[:, CORNERS, :2], transform)
    outer = corners[:, 1] - corners[:, 0]
    return torch.cat([inner.flatten(1), chin.flatten(1), outer], dim=1)


def lip_polygons(descriptors: Tensor) -> Tensor:
    """(F, DESCRIPTOR) to (F, 20, 2): the inner lips in the patch's unit, in the order of INNER."""
    return descriptors[:, : 2 * len(INNER)].unflatten(1, (-1, 2))


def lip_edges(descriptors: Tensor, columns: Tensor) -> tuple[Tensor, Tensor]:
    """Height of the inner lips above every column of the patch.

    Args:
        descriptors: (F, DESCRIPTOR).
        columns: (W,) x in the patch's unit.

    Returns:
        y of the upper and of the lower lip, (F, W) each; outside the corners both are the corner's.
    """
    inner = lip_polygons(descriptors)
    count = len(UPPER)
    lower = torch.cat([inner[:, :1], inner[:, count:], inner[:, count - 1 : count]], dim=1)
    return _heights(inner[:, :count], columns), _heights(lower, columns)


def _heights(line: Tensor, columns: Tensor) -> Tensor:
    """(F, P, 2) to (F, W): y of a line that runs from left to right, at the columns."""
    xs, ys = line[..., 0].cummax(dim=1).values, line[..., 1]
    start, end = xs[:, :-1, None], xs[:, 1:, None]
    shares = ((columns - start) / (end - start).clamp(min=1e-4)).clamp(0, 1)
    # The sum over the pieces of how far each rises until the column.
    return ys[:, :1] + (shares * (ys[:, 1:] - ys[:, :-1])[..., None]).sum(1)


def patch_axes(width: int, height: int, like: Tensor) -> tuple[Tensor, Tensor]:
    """Give x (width,) and y (height,) of the pixels' centres of the patch at any size, in its unit."""
    step = SPAN / width
    place = {"device": like.device, "dtype": like.dtype}
    return (torch.arange(width, **place) + 0.5) * step + LEFT, (torch.arange(height, **place) + 0.5) * step + TOP


def lip_mask(
    descriptors: Tensor, grow: float = 0.0, soft: float = 0.02, size: tuple[int, int] = (WIDTH, HEIGHT)
) -> Tensor:
    """(F, DESCRIPTOR) to (F, 1, H, W): 1 inside the inner lips, 0 outside and between closed lips.

    Args:
        descriptors: of the lips.
        grow: how far the edge is moved outwards, in the patch's unit.
        soft: width of the edge, which lies inside.
        size: width and height.
    """
    xs, ys = patch_axes(*size, descriptors)
    upper, lower = lip_edges(descriptors, xs)
    inside = torch.minimum(ys[:, None] - upper[:, None], lower[:, None] - ys[:, None])
    inner = lip_polygons(descriptors)
    left, right = inner[:, 0, 0], inner[:, len(UPPER) - 1, 0]
    between = torch.minimum(xs - left[:, None], right[:, None] - xs)[:, None]
    return ((torch.minimum(inside, between) + grow) / soft).clamp(0, 1)[:, None]


def cut_patches(pictures: Tensor, transforms: Tensor) -> Tensor:
    """Pictures (F, C, h, w) to patches (F, C, H, W); beyond a picture's edge its last pixels are repeated."""
    height, width = pictures.shape[-2:]
    grid = _affine_grid(transforms, WIDTH, HEIGHT, width, height)
    return functional.grid_sample(pictures, grid, align_corners=False, padding_mode="border")


def picture_grid(transforms: Tensor, width: int, height: int) -> Tensor:
    """Where each pixel of a picture lies in the patch, for `grid_sample(patch, grid, align_corners=False)`.

    Args:
        transforms: (F, 2, 3) of `patch_transform`.
        width: of the picture.
        height: of the picture.

    Returns:
        (F, height, width, 2) in -1 .. 1; outside that range there is no patch.
    """
    turn = torch.linalg.inv(transforms[..., :2])
    shift = -turn @ transforms[..., 2:]
    return _affine_grid(torch.cat([turn, shift], dim=-1), width, height, WIDTH, HEIGHT)


def _affine_grid(transforms: Tensor, width: int, height: int, source_width: int, source_height: int) -> Tensor:
    """(F, height, width, 2): the pixels' centres through the maps, in the normalised coordinates of the source."""
    place = {"device": transforms.device, "dtype": transforms.dtype}
    ys, xs = torch.meshgrid(torch.arange(height, **place) + 0.5, torch.arange(width, **place) + 0.5, indexing="ij")
    centres = torch.stack([xs, ys, torch.ones_like(xs)], dim=-1)
    mapped = torch.einsum("hwk,fck->fhwc", centres, transforms)
    return mapped * (2 / mapped.new_tensor([source_width, source_height])) - 1
