"""The command line: `python -m emo_core animate | weights | queue ...`."""

import argparse
import os
import signal
import sys
from collections.abc import Callable
from typing import NoReturn

from .errors import Cancelled, EmoError, InputError

DONE, CANCELLED = 0, 130


def main(arguments: list[str] | None = None) -> int:
    """Run a command; see `run_command` for the exit codes."""
    return run_command(_parser, arguments)


def run_command(parser: Callable[[], argparse.ArgumentParser], arguments: list[str] | None) -> int:
    """Parse and run.

    Args:
        parser: builds the parser; each command has set `run`.
        arguments: of the command line; None for the process's own.

    Returns:
        0 done, 130 cancelled, else the error's own (2 bad input, 3 no server, 4 failed there); one line on stderr says
        what came, what was expected, what to do.
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
        sys.stderr.write("cancelled; nothing was written\n")
        return CANCELLED
    return DONE


class OneLineParser(argparse.ArgumentParser):
    """Reports a wrong option as the other bad input: one line, exit code 2."""

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message}; see `{self.prog} --help`")


def _parser() -> argparse.ArgumentParser:
    from .animate_cli import add_parser as add_animate
    from .client.cli import add_parser as add_queue
    from .weights.cli import add_parser as add_weights

    parser = OneLineParser(prog="python -m emo_core", description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    add_animate(commands)
    add_weights(commands)
    add_queue(commands)
    return parser


def silence_native_logs() -> None:
    """MediaPipe's C++ parts write start-up notes straight to file descriptor 2, where one line is promised.

    Python's own stderr goes on under a descriptor of its own. EMO_NATIVE_LOGS=1 keeps the notes.
    """
    if os.environ.get("EMO_NATIVE_LOGS"):
        return
    sys.stderr = os.fdopen(os.dup(2), "w", buffering=1, errors="backslashreplace")
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    os.close(null)


if __name__ == "__main__":
    silence_native_logs()
    sys.exit(main())
