"""The command line: `python -m emo_core animate | weights | queue | evaluate ...`."""

import argparse
import importlib
import importlib.util
import os
import signal
import sys
from collections.abc import Callable
from typing import NoReturn

from .errors import Cancelled, EmoError, InputError

DONE, CANCELLED = 0, 130
COMMANDS = {"animate": ".animate_cli", "weights": ".weights.cli", "queue": ".client.cli", "evaluate": ".evaluate.cli"}
"""Modules that add a command each."""


def main(arguments: list[str] | None = None) -> int:
    """Run a command; see `run_command` for the exit codes."""
    arguments = sys.argv[1:] if arguments is None else arguments
    return run_command(lambda: _parser(arguments), arguments)


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
        sys.stderr.write("cancelled\n")
        return CANCELLED
    return DONE


class OneLineParser(argparse.ArgumentParser):
    """Reports a wrong option as the other bad input: one line, exit code 2."""

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message}; see `{self.prog} --help`")


def _parser(arguments: list[str]) -> argparse.ArgumentParser:
    """Only what the command needs is imported: queueing takes no torch."""
    parser = OneLineParser(prog="python -m emo_core", description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    known = [name for name, module in COMMANDS.items() if _installed(module)]
    for name in arguments[:1] if arguments[:1] and arguments[0] in known else known:
        importlib.import_module(COMMANDS[name], __package__).add_parser(commands)
    return parser


def _installed(module: str) -> bool:
    """The registry's archive leaves out what only trains and judges."""
    try:
        return importlib.util.find_spec(module, __package__) is not None
    except ModuleNotFoundError:  # Its folder is gone.
        return False


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
