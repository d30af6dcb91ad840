"""Means over the steps since the last report."""


class Meter:
    """Loss, throughput, and the share of time spent waiting for data."""

    def __init__(self) -> None:
        self._clear()

    def _clear(self) -> None:
        self._losses, self._seconds, self._samples, self._waiting = [], 0.0, 0, 0.0

    def waited(self, seconds: float) -> None:
        """Time spent waiting for data."""
        self._waiting += seconds

    def add(self, loss: float, seconds: float, samples: int) -> None:
        """A step."""
        self._losses.append(loss)
        self._seconds += seconds
        self._samples += samples

    def report(self) -> dict[str, float]:
        """Mean loss, samples per second and the share of time spent waiting for data; begins anew."""
        numbers = {
            "loss": sum(self._losses) / len(self._losses),
            "samples_per_second": round(self._samples / self._seconds, 3),
            "waiting": round(self._waiting / self._seconds, 4),
        }
        self._clear()
        return numbers
