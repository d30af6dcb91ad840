"""What can go wrong for a user, as one small tree.

    EmoError
    ├── InputError       a portrait, sound, region or option that cannot be used
    ├── CheckpointError  a weights file that cannot be used
    ├── ServerError      a ComfyUI server that cannot be reached, or is gone
    │   └── PromptNotFoundError  the server answers, but does not have the prompt
    ├── ExecutionError   a workflow that failed on its server
    └── Cancelled        the user asked to stop

Every message says what came, what was expected and what to do.
"""


class EmoError(Exception):
    """Root of the errors that this package raises for its users."""

    exit_code = 2
    """Of a command that ends with it."""


class InputError(EmoError, ValueError):
    """A portrait, sound, region or option that cannot be used."""


class CheckpointError(EmoError):
    """A weights file that cannot be used."""


class ServerError(EmoError):
    """A ComfyUI server that cannot be reached, or is gone."""

    exit_code = 3


class PromptNotFoundError(ServerError):
    """The server does not have the prompt: it was restarted, or its queue was cleared."""


class ExecutionError(EmoError):
    """A workflow that failed on its server."""

    exit_code = 4


class Cancelled(EmoError):  # noqa: N818 -- a wish, not an error
    """The user asked to stop; raised by a progress callback, passes through the sampler."""

    exit_code = 130
