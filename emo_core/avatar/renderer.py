"""Draw a person's lower face, as a motion wants it, into frames that show the person.

Shape legend: F frames of a block, S side of the squares, P = S / 2 side of the patch, G mouths of the gallery.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import TypeVar

import numpy as np
import torch

from ..device import one_thread
from ..errors import InputError
from ..face.motion import FaceMotion
from ..face.rig import FaceRig
from .detail import with_real_detail
from .edges import MOUTH_CHANNELS, draw_edges
from .inputs import Drawings, composed, controls_of, to_network
from .patches import SMOOTH, PatchPlace, place_points, spoken_region, window
from .precision import half_precision
from .retrieval import Gallery, best_path, lip_distances, lip_shapes, look_distances
from .unet import MouthNet, net_from
from .warping import fitted, skin_colour

HELD = int(np.ceil(3 * SMOOTH))
"""Frames of the block before whose place smooths the first ones of a block."""
AT_ONCE = 4
"""Frames that the network draws together."""
T, R = TypeVar("T"), TypeVar("R")
NET, GALLERY, NEUTRAL, CONFIG = "net.", "gallery.", "neutral", "config"
"""Names in an avatar's file."""


class MouthRenderer:
    """Draws blocks of successive frames; each call continues where the one before ended."""

    def __init__(
        self,
        net: MouthNet,
        gallery: Gallery,
        rig: FaceRig,
        neutral: np.ndarray,
        *,
        device: torch.device | str = "cpu",
    ) -> None:
        """Prepare to draw.

        Args:
            net: for patches of the gallery's size.
            gallery: real mouths of the person.
            rig: of the motions.
            neutral: (478, 3) the person's neutral face, aligned.
            device: that draws.
        """
        self.net = net.eval().to(device, memory_format=torch.channels_last)
        self.gallery, self.rig, self.neutral, self.device = gallery, rig, np.asarray(neutral, np.float64), device
        self.size = gallery.size
        self._lips, self._half = gallery.lips, half_precision(torch.device(device).type)
        self._window = torch.from_numpy(window(self.size)).to(device)
        self.restart()

    def restart(self) -> None:
        """Begin another film: the next frame follows none."""
        self._mouth: int | None = None
        self._before = np.empty((0, 478, 3))

    def draw(
        self,
        squares: np.ndarray,
        landmarks: np.ndarray,
        base_motion: FaceMotion,
        target_motion: FaceMotion,
        codes: np.ndarray | None = None,
        *,
        detail: float = 0.0,
    ) -> np.ndarray:
        """Draw the frames that follow those of the last call.

        Args:
            squares: (F, S, S, 3) uint8 frames that show the person with any mouth.
            landmarks: (F, 478, 3) of them, in pixels.
            base_motion: F frames that they show.
            target_motion: F frames whose mouth is wanted.
            codes: (F, 128) of the sound, see `sound_codes`; None for none.
            detail: 0 .. 1 of fine structure that is taken from real mouths, see `detail`.

        Returns:
            (F, S, S, 3) uint8. What lies outside the lower face is as in the squares, bit by bit.

        Raises:
            InputError: for squares of another size than the person's.
        """
        if squares.shape[1:] != (2 * self.size, 2 * self.size, 3) or len(squares) != len(landmarks):
            raise InputError(
                f"squares: got {squares.shape} and landmarks {np.shape(landmarks)}; expected "
                f"(F, {2 * self.size}, {2 * self.size}, 3) and (F, 478, 3)"
            )
        landmarks = np.asarray(landmarks, np.float64)
        places = self._places(landmarks)
        points = places.inside(place_points(landmarks, base_motion, target_motion, self.neutral, self.rig))
        bases = np.stack([places.cut(square, frame) for frame, square in enumerate(squares)])
        mouths = self._path(points, bases, base_motion)
        controls = controls_of(target_motion, base_motion, codes)
        drawn = np.empty_like(squares)
        parts = [slice(first, first + AT_ONCE) for first in range(0, len(squares), AT_ONCE)]

        def drawings(part: slice) -> Drawings:
            own = places.inside(landmarks[part], frames=part)
            return self._drawings(bases[part], own, points[part], mouths[part])

        for part, made in zip(parts, _ahead(drawings, parts), strict=True):
            with one_thread():
                patches, cover = self._forward(made, controls[part])
                if detail:
                    patches = with_real_detail(patches, made.mouths, made.regions, detail)
            for number, frame in enumerate(range(len(squares))[part]):
                drawn[frame] = places.lay(squares[frame], patches[number], cover[number], frame)
        return drawn

    def _places(self, landmarks: np.ndarray) -> PatchPlace:
        """Places of a block's patches, smoothed together with the frames before."""
        known = len(self._before)
        both = np.concatenate([self._before, landmarks])
        self._before = both[-HELD:]
        return PatchPlace.of(both, self.neutral, self.size)[known:]

    def _path(self, points: np.ndarray, bases: np.ndarray, pose: FaceMotion) -> np.ndarray:
        """(F,) real mouths for points (F, 478, 2), bases (F, P, P, 3) and their heads."""
        looks = np.concatenate([pose.rotation, np.stack([skin_colour(base) for base in bases])], axis=1)
        costs = lip_distances(lip_shapes(points, self.size), self._lips) + look_distances(looks, self.gallery.looks)
        path = best_path(costs, before=self._mouth)
        self._mouth = int(path[-1])
        return path

    def _drawings(self, bases: np.ndarray, own: np.ndarray, points: np.ndarray, mouths: np.ndarray) -> Drawings:
        known = {int(mouth): self.gallery.patches[int(mouth)] for mouth in set(mouths.tolist())}
        regions = np.stack([spoken_region(both, self.size) for both in zip(own, points, strict=True)])
        real = np.stack([known[int(mouth)] for mouth in mouths])
        return Drawings(
            edges=draw_edges(points, self.size, channels=MOUTH_CHANNELS),
            mouths=fitted(real, self.gallery.points[mouths], points, bases),
            mouth_edges=draw_edges(self.gallery.points[mouths], self.size, channels=MOUTH_CHANNELS[:2]),
            bases=bases,
            regions=regions,
        )

    @torch.inference_mode()
    def _forward(self, drawings: Drawings, controls: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Drawn patches (B, P, P, 3) float32 0 .. 255, and their cover (B, P, P)."""
        inputs, bases, _ = to_network(drawings, self.device)
        with torch.autocast(inputs.device.type, torch.bfloat16, enabled=self._half):
            output = self.net(inputs, torch.from_numpy(controls).to(self.device))
        _, drawn, cover = composed(output.float(), inputs, bases, self._window)
        drawn = (drawn.clamp(-1, 1) + 1) * 127.5
        return drawn.permute(0, 2, 3, 1).cpu().numpy(), cover[:, 0].cpu().numpy()

    def arrays(self) -> dict[str, np.ndarray]:
        """For an avatar's file: weights in 16 bits, gallery, neutral face."""
        weights = {NET + name: value.cpu().half().numpy() for name, value in self.net.state_dict().items()}
        gallery = {GALLERY + name: values for name, values in self.gallery.arrays().items()}
        config = np.frombuffer(json.dumps(asdict(self.net.config)).encode(), np.uint8)
        return {**weights, **gallery, NEUTRAL: self.neutral.astype(np.float32), CONFIG: config}

    @classmethod
    def from_arrays(
        cls, arrays: Mapping[str, np.ndarray], rig: FaceRig, *, device: torch.device | str = "cpu"
    ) -> MouthRenderer:
        """The renderer of `arrays`.

        Raises:
            InputError: if they are no renderer.
        """
        try:
            config = arrays[CONFIG].tobytes().decode()
            net = net_from({name: torch.tensor(values) for name, values in _part(arrays, NET).items()}, config)
            neutral = np.asarray(arrays[NEUTRAL], np.float64)
            if neutral.shape != (478, 3) or not np.isfinite(neutral).all():
                raise ValueError(f"a neutral face {neutral.shape}")
        except (KeyError, ValueError, RuntimeError, TypeError, AttributeError) as error:
            raise InputError(
                f"avatar: its renderer cannot be read ({' '.join(str(error).split())[:200]}); make the file again"
            ) from error
        return cls(net, Gallery.from_arrays(_part(arrays, GALLERY)), rig, neutral, device=device)


def _part(arrays: Mapping[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    return {name.removeprefix(prefix): values for name, values in arrays.items() if name.startswith(prefix)}


def _ahead(make: Callable[[T], R], items: Sequence[T]) -> Iterator[R]:
    """Make one thing after another in a second thread, one ahead: it draws while the network computes."""

    def quietly(item: T) -> R:
        with one_thread():
            return make(item)

    with ThreadPoolExecutor(1) as worker:
        waiting = deque(worker.submit(quietly, item) for item in items[:1])
        for following in [*items[1:], None]:
            if following is not None:
                waiting.append(worker.submit(quietly, following))
            yield waiting.popleft().result()
