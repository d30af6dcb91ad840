"""A rectangle in a picture."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in pixels of its picture, not rounded."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        """Pixels."""
        return self.right - self.left

    @property
    def height(self) -> float:
        """Pixels."""
        return self.bottom - self.top

    @property
    def centre(self) -> tuple[float, float]:
        """X and y."""
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2

    def expand(self, ratio: float) -> "Box":
        """Scale around the centre."""
        (x, y), w, h = self.centre, self.width * ratio / 2, self.height * ratio / 2
        return Box(x - w, y - h, x + w, y + h)

    def overlap(self, other: "Box") -> float:
        """Intersection over union, 0 .. 1."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        shared = max(0.0, width) * max(0.0, height)
        return shared / max(self.width * self.height + other.width * other.height - shared, 1e-9)

    @staticmethod
    def union(boxes: list["Box"]) -> "Box":
        """The smallest box around all (paper section 3.2: the union of a clip's face boxes)."""
        return Box(
            min(b.left for b in boxes),
            min(b.top for b in boxes),
            max(b.right for b in boxes),
            max(b.bottom for b in boxes),
        )
