"""What can go wrong for a user, as one small tree.

    EmoError
    ├── InputError       a portrait, sound, region or option that cannot be used
    ├── CheckpointError  a weights file that cannot be used
    └── Cancelled        the user asked to stop

Every message says what came, what was expected and what to do.
"""


class EmoError(Exception):
    """Root of the errors that this package raises for its users."""


class InputError(EmoError, ValueError):
    """A portrait, sound, region or option that cannot be used."""


class CheckpointError(EmoError):
    """A weights file that cannot be used."""


class Cancelled(EmoError):  # noqa: N818 -- a wish, not an error
    """The user asked to stop; raised by a progress callback, passes through the sampler."""
