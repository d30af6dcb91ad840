"""What all commands share: a parser that reports in one line, and exit codes."""

import argparse
import os
import signal
import sys
from collections.abc import Callable
from typing import NoReturn

from .errors import Cancelled, EmoError, InputError

DONE, CANCELLED = 0, 130


class OneLineParser(argparse.ArgumentParser):
    """Reports a wrong option as any other bad input: one line, exit code 2."""

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message}; see `{self.prog} --help`")


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
    return DONE


def silence_native_logs() -> None:
    """Keep MediaPipe's C++ start-up notes off stderr, where one line is promised.

    They are written straight to file descriptor 2. Python's own stderr continues under a descriptor of its own.
    """
    sys.stderr = os.fdopen(os.dup(2), "w", buffering=1, errors="backslashreplace")
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    os.close(null)
