"""Finished clips of a model, for the next run: in memory, and on disk if the user names a folder.

The host's own cache cannot do this alone: it drops the clips of a cancelled run when another node runs before the chainer
(default cache), or when they are more than its limit (--cache-lru).
"""

from collections import OrderedDict

from torch import Tensor

from .clip_files import ClipFiles
from .clip_key import ClipKey

MEMORY_BYTES = 2**29
"""Most bytes of latents in memory: some 10 minutes of emo-mini, 4 minutes of a model of 512 x 512 pixels."""
VIDEOS_KEPT = 4
"""Videos in memory. Only the last ones can be continued; trying many seeds must not fill the memory."""


class ClipStore:
    """Belongs to one loaded model: when the host drops the model, it drops the clips."""

    def __init__(self, identity: str, files: ClipFiles | None = None, limit: int = MEMORY_BYTES) -> None:
        """Start empty.

        Args:
            identity: of the model (`clip_key.model_identity`).
            files: clips on disk, which other models and other runs of the host share.
            limit: most bytes in memory.
        """
        self.identity = identity
        self._files = files
        self._limit = limit
        self._videos: OrderedDict[str, dict[str, Tensor]] = OrderedDict()

    def get(self, key: ClipKey) -> Tensor | None:
        """The latents (f, C, h, w) float32 on the CPU, or None."""
        latents = self._videos.get(key.video, {}).get(key.clip)
        if latents is None and self._files is not None:
            latents = self._files.read(key.clip)
            if latents is not None:
                self._keep(key, latents)
        return latents

    def put(self, key: ClipKey, latents: Tensor) -> None:
        """Keep the latents of a finished clip."""
        latents = latents.cpu()
        self._keep(key, latents)
        if self._files is not None:
            self._files.write(key.clip, latents)

    @property
    def bytes(self) -> int:
        """Bytes of the latents in memory."""
        return sum(latents.nbytes for clips in self._videos.values() for latents in clips.values())

    def _keep(self, key: ClipKey, latents: Tensor) -> None:
        """Keep in memory. Older videos make room. Of a video that is too long, the first clips are kept: it starts there."""
        self._videos.setdefault(key.video, {})
        self._videos.move_to_end(key.video)
        while len(self._videos) > 1 and (len(self._videos) > VIDEOS_KEPT or self.bytes + latents.nbytes > self._limit):
            self._videos.popitem(last=False)
        if self.bytes + latents.nbytes <= self._limit:
            self._videos[key.video][key.clip] = latents
