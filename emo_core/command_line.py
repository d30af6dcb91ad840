"""What all commands share: a parser that reports in one line, and exit codes."""

import argparse
import signal
import sys
from collections.abc import Callable
from typing import NoReturn

from .emotion import EMOTIONS, STRONGEST
from .errors import Cancelled, EmoError, InputError

DONE, CANCELLED = 0, 130
MAKE_ROOM = "close other programs, use a smaller --batch, fewer --workers, half precision (--dtype), or --device cpu"


class OneLineParser(argparse.ArgumentParser):
    """Reports a wrong option as any other bad input: one line, exit code 2."""

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message}; see `{self.prog} --help`")


def add_emotion(add: Callable[..., object], otherwise: str) -> None:
    """Add the options of an emotion curve; `otherwise` says what happens without one."""
    add(
        "--emotion",
        metavar="CURVE",
        help=f"{', '.join(EMOTIONS)}; a blend such as happy+surprise; or over time 0:neutral,1.5:happy@0.8 (default: {otherwise})",
    )
    add("--strength", type=float, default=1.0, help=f"of the emotion, 0 .. {STRONGEST:g} (default: 1)")


def run_command(parser: Callable[[], argparse.ArgumentParser], arguments: list[str] | None) -> int:
    """Parse the arguments and run the command.

    Args:
        parser: builds the parser; each command has set `run`.
        arguments: of the command line; None for the process's own.

    Returns:
        0 done, 130 cancelled, else the error's own (2 bad input, 3 no server, 4 failed on the server). One line on stderr
        says what came, what was expected and what to do.
    """
    # A terminated run cleans up like an interrupted one.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        args = parser().parse_args(arguments)
        args.run(args)
    except EmoError as error:
        if isinstance(error, Cancelled):
            sys.stderr.write(f"cancelled; {error}\n" if str(error) else "")
            return CANCELLED
        sys.stderr.write(f"error: {' '.join(str(error).split())}\n")
        return error.exit_code
    except KeyboardInterrupt:
        sys.stderr.write("cancelled\n")
        return CANCELLED
    except (MemoryError, RuntimeError) as error:
        if not _is_out_of_memory(error):
            raise
        sys.stderr.write(f"error: out of memory ({' '.join(str(error).split())[:200]}); {MAKE_ROOM}\n")
        return EmoError.exit_code
    return DONE


def _is_out_of_memory(error: Exception) -> bool:
    torch = sys.modules.get("torch")  # `queue` runs without it.
    gpu_is_full = torch is not None and isinstance(error, torch.OutOfMemoryError)
    return isinstance(error, MemoryError) or gpu_is_full or "can't allocate memory" in str(error)
