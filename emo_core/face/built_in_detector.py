"""The built-in face detector: a small convolutional network that gives boxes only.

Shape legend: B pictures, H and W pixels, h and w cells of the network's grid, N boxes.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from einops import rearrange
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from ..errors import CheckpointError
from ..files import existing_file
from .box import Box
from .detect import MAX_FACES, Face
from .detector_view import View

WEIGHTS = Path(__file__).resolve().parents[2] / "models" / "face-finder.safetensors"
FORMAT = "emo-face-finder-1"
STRIDE = 8
"""Pixels per cell of the network's output grid."""
WHOLE_SIZE = 160
"""Side in pixels of the square that the whole picture is scaled to for the first pass."""
CLOSE_SIZE = 480
"""The same where the first pass finds no face: for faces from 5 % of the picture's longer side on."""
SCORE_THRESHOLD = 0.36
"""Score of a face in each pass, and product of both scores, at least."""
NMS_IOU = 0.35
"""Boxes of a greater intersection over union belong to one face."""


@dataclass(frozen=True, slots=True)
class FaceDetectorConfig:
    """Shape of the network."""

    size: int = 128
    """Side of the square pictures in training; the input may have any multiple of 32."""
    widths: tuple[int, int, int, int] = (16, 24, 48, 96)
    """Channels at strides 2, 4, 8 and 16; stride 32 has as many as 16."""


class FaceDetectorNet(nn.Module):
    """Anchor-free: each cell gives the probability of a face's centre, and the distances to the four edges of that face."""

    def __init__(self, config: FaceDetectorConfig) -> None:
        super().__init__()
        self.config = config
        first, second, third, fourth = config.widths
        self.to_8 = nn.Sequential(
            _layer(3, first, 2), _layer(first, second, 2), _Block(second), _layer(second, third, 2), _Block(third)
        )
        self.at_8 = _Block(third)
        self.to_16 = nn.Sequential(_layer(third, fourth, 2), _Block(fourth), _Block(fourth))
        self.to_32 = nn.Sequential(_layer(fourth, fourth, 2), _Block(fourth))
        self.from_32 = nn.Conv2d(fourth, third, 1)
        self.from_16 = nn.Conv2d(fourth, third, 1)
        self.head = nn.Sequential(_layer(third, third), nn.Conv2d(third, 5, 1))
        nn.init.constant_(self.head[-1].bias[:1], -4.0)
        nn.init.constant_(self.head[-1].bias[1:], 3.0)

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Detect.

        Args:
            pictures: (B, 3, H, W) in [-1, 1], H and W multiples of 32.

        Returns:
            (B, h, w) logits that a face's centre is in a cell;
            (B, h, w, 4) left, top, right, bottom of that face in pixels.
        """
        fine = self.to_8(pictures)
        middle = self.to_16(fine)
        coarse = self.to_32(middle)
        context = functional.interpolate(self.from_32(coarse), scale_factor=2.0) + self.from_16(middle)
        fine = self.at_8(fine + functional.interpolate(context, scale_factor=2.0))
        output = rearrange(self.head(fine), "b c h w -> b h w c")
        distances = output[..., 1:].clamp(-3, 7).exp()
        return output[..., 0], torch.cat([-distances[..., :2], distances[..., 2:]], -1) + self._cells(output)

    def _cells(self, output: Tensor) -> Tensor:
        """(h, w, 4): centre of each cell, twice, in pixels."""
        rows, columns = ((torch.arange(length, device=output.device) + 0.5) * STRIDE for length in output.shape[1:3])
        y, x = torch.meshgrid(rows, columns, indexing="ij")
        return torch.stack([x, y, x, y], -1)


class _Block(nn.Module):
    """Two convolutions with a residual connection."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.inner = nn.Sequential(_layer(width, width), nn.Conv2d(width, width, 3, 1, 1, bias=False))
        self.norm = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(x + self.norm(self.inner(x)))


def _layer(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
    )


def detector_metadata(config: FaceDetectorConfig) -> dict[str, str]:
    """Metadata of a weights file."""
    return {"format": FORMAT, "config": json.dumps(asdict(config))}


def load_face_detector(path: Path = WEIGHTS) -> FaceDetectorNet:
    """Load a weights file for inference.

    Raises:
        InputError: if there is no file.
        CheckpointError: if it holds no face detector.
    """
    path = existing_file(path, "face detector", "the face-finder.safetensors that comes with the pack")
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            weights = {name: file.get_tensor(name).float() for name in file.keys()}
        if metadata.get("format") != FORMAT:
            raise ValueError(f"format is {metadata.get('format')!r}, not {FORMAT!r}")
        config = json.loads(metadata["config"])
        net = FaceDetectorNet(FaceDetectorConfig(**{**config, "widths": tuple(config["widths"])}))
        net.load_state_dict(weights)
    except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError, OSError) as error:
        reason = " ".join(str(error).split())[:200]
        raise CheckpointError(
            f"face detector: {path} cannot be used ({reason}); give the pack's own file, or train one"
        ) from error
    return _without_norms(net.eval().requires_grad_(False))


def _without_norms(net: FaceDetectorNet) -> FaceDetectorNet:
    """Fuse normalisations into the convolutions before them: the same output in three quarters of the time."""
    for module in net.modules():
        if isinstance(module, _Block):
            module.inner[-1] = fuse_conv_bn_eval(module.inner[-1], module.norm)
            module.norm = nn.Identity()
        elif isinstance(module, nn.Sequential) and len(module) == 3 and isinstance(module[1], nn.BatchNorm2d):
            module[0], module[1] = fuse_conv_bn_eval(module[0], module[1]), nn.Identity()
    return net.to(memory_format=torch.channels_last)


@dataclass(frozen=True, slots=True)
class _Scored:
    box: Box
    score: float


class BuiltInDetector:
    """Searches the whole picture, then again the surroundings of each face at a higher resolution."""

    def __init__(self, path: Path = WEIGHTS) -> None:
        """Load the weights; see `load_face_detector` for errors."""
        self._net = load_face_detector(path)

    def detect(self, image: np.ndarray) -> list[Face]:
        """See `FaceDetector`; the faces have no landmarks."""
        return self._look(image, WHOLE_SIZE) or self._look(image, CLOSE_SIZE)

    def _look(self, image: np.ndarray, size: int) -> list[Face]:
        coarse = self._search(image, [View.whole(image, size)])[0][:MAX_FACES]
        if not coarse:
            return []
        fine = self._search(image, [View.around(face.box, self._net.config.size) for face in coarse])
        best = [_matching(faces, face) for faces, face in zip(fine, coarse, strict=True)]
        faces = _distinct([face for face in best if face is not None and face.score > SCORE_THRESHOLD])
        return sorted(
            (Face(face.box, score=face.score) for face in faces), key=lambda face: -face.box.width * face.box.height
        )

    @torch.inference_mode()
    def _search(self, image: np.ndarray, views: list[View]) -> list[list[_Scored]]:
        """The faces in each view, in pixels of the picture, highest score first."""
        logits, boxes = self._net(to_input([view.cut(image) for view in views]))
        results = []
        for view, scores, edges in zip(views, logits.sigmoid(), boxes, strict=True):
            above = scores > SCORE_THRESHOLD
            faces = _merged(edges[above].numpy(), scores[above].numpy())
            results.append([_Scored(view.outside(face.box), face.score) for face in faces])
        return results


def to_input(pictures: list[np.ndarray]) -> Tensor:
    """Pictures (H, W, 3) uint8 of one size to the network's input (B, 3, H, W)."""
    stacked = torch.from_numpy(np.stack(pictures)).float() / 127.5 - 1
    return rearrange(stacked, "b h w c -> b c h w")


def _merged(boxes: np.ndarray, scores: np.ndarray) -> list[_Scored]:
    """Join the boxes (N, 4) of neighbouring cells, with scores (N,), to their weighted mean for each face."""
    faces = []
    order = list(np.argsort(-scores))
    while order:
        best = Box(*boxes[order[0]])
        group = [index for index in order if Box(*boxes[index]).overlap(best) > NMS_IOU]
        weights = scores[group] ** 2
        mean = (boxes[group] * weights[:, None]).sum(0) / weights.sum()
        faces.append(_Scored(Box(*(float(edge) for edge in mean)), float(scores[order[0]])))
        order = [index for index in order if index not in group]
    return faces


def _matching(faces: list[_Scored], coarse: _Scored) -> _Scored | None:
    """The face of the second pass that matches one of the first, with the product of both scores."""
    face = max(faces, key=lambda face: face.box.overlap(coarse.box), default=None)
    if face is None or face.box.overlap(coarse.box) <= NMS_IOU:
        return None
    return _Scored(face.box, face.score * coarse.score)


def _distinct(faces: list[_Scored]) -> list[_Scored]:
    """Remove duplicates: two faces of the first pass may lead to the same one."""
    kept: list[_Scored] = []
    for face in sorted(faces, key=lambda face: -face.score):
        if all(face.box.overlap(other.box) <= NMS_IOU for other in kept):
            kept.append(face)
    return kept
