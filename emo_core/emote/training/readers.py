"""Two readers of moving faces, in coefficients: the emotion, and the speech of the lips. Training asks them; they never ship.

EMOTE reads both from rendered pictures (arXiv 2306.08990, section 3.4); here no renderer is needed.

Shape legend: B windows, F frames, K coefficients, M curves of the mouth, C classes, Q numbers of speech.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from ...emotion import EMOTIONS
from ...training.batches import Place, drawn_batches, moved
from ...training.log import TrainingLog
from ...training.schedule import Schedule
from ...training.task import Learner, Task
from ..action_units import CURVES, MOUTH_COLUMNS

WIDTH = 64
SPEECH = 16
"""Q"""
SCHEDULE = Schedule(rate=2e-3, warm_up=50, decay="cosine", decay_from=0.0, decay_to=0.02)


class Readers(nn.Module):
    """Both readers."""

    def __init__(self) -> None:
        super().__init__()
        self.emotion = _convolutions(len(CURVES))
        self.classes = nn.Linear(WIDTH, len(EMOTIONS))
        self.lips = _convolutions(len(MOUTH_COLUMNS))
        self.speech = nn.Linear(WIDTH, SPEECH)

    def emotion_features(self, motion: Tensor) -> Tensor:
        """(B, F, K) to (B, 64): pooled over time."""
        return _along(self.emotion, motion).mean(1)

    def lip_features(self, motion: Tensor) -> Tensor:
        """(B, F, K) to (B, F, 64)."""
        return _along(self.lips, motion[..., MOUTH_COLUMNS])

    def forward(self, motion: Tensor) -> tuple[Tensor, Tensor]:
        """(B, F, K) to logits of EMOTIONS (B, C), and what the lips say (B, F, Q)."""
        return self.classes(self.emotion_features(motion)), self.speech(self.lip_features(motion))


@dataclass(frozen=True, slots=True)
class Reading:
    """A batch."""

    motion: Tensor
    """(B, F, K)"""
    label: Tensor
    """(B,) number of the strongest emotion in EMOTIONS."""
    speech: Tensor
    """(B, F, Q) main components of what the encoder hears."""
    keys: tuple[str, ...] = ()

    def to(self, device: torch.device) -> "Reading":
        """On another device."""
        return moved(self, device)


class ReaderTask(Task):
    """Classes of emotion, and the encoder's features from the lips."""

    def __init__(self, readers: Readers, draw: Callable[[torch.Generator], Reading], test: Reading) -> None:
        """`draw` gives training batches; `test` is of people that teach nothing."""
        self._readers, self._draw, self._test = readers, draw, test
        optimiser = torch.optim.AdamW(readers.parameters(), weight_decay=1e-2)
        self.learners = (Learner(network=readers, optimiser=optimiser, schedule=SCHEDULE, clip=1.0),)

    def batches(self, place: Place, consumed: int) -> Iterator[Reading]:
        return drawn_batches(self._draw, place, consumed)

    def losses(self, batch: Reading, networks: tuple[nn.Module, ...], share: float) -> Iterator[Tensor]:
        classes, speech = networks[0](batch.motion)
        yield functional.cross_entropy(classes, batch.label) + functional.mse_loss(speech, batch.speech)

    @torch.no_grad()
    def validate(self, step: int, log: TrainingLog) -> None:
        classes, speech = self._readers(self._test.motion)
        right = (classes.argmax(1) == self._test.label).float().mean()
        left = (speech - self._test.speech).square().mean() / self._test.speech.square().mean()
        log.write(step, emotion_right=float(right), speech_explained=float(1 - left))


def _convolutions(channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv1d(channels, WIDTH, 5, padding=2),
        nn.GELU(),
        nn.Conv1d(WIDTH, WIDTH, 5, padding=2),
        nn.GELU(),
        nn.Conv1d(WIDTH, WIDTH, 5, padding=2),
    )


def _along(network: nn.Sequential, motion: Tensor) -> Tensor:
    """(B, F, C) through convolutions over time."""
    return rearrange(network(rearrange(motion, "b f c -> b c f")), "b c f -> b f c")
