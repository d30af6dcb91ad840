"""The command line: `python -m emo_core animate | emote | prepare | label | cache | train | export | overfit | avatar | evaluate | weights | queue`."""

import argparse
import faulthandler
import importlib
import importlib.util
import sys

from .command_line import OneLineParser, run_command
from .errors import InputError

COMMANDS = {
    "animate": ".animate.cli",
    "emote": ".animate.emote_cli",
    "prepare": ".dataset.cli",
    "label": ".dataset.emotion_cli",
    "cache": ".emo.training.cache_cli",
    "train": ".emo.training.cli",
    "emote prepare": ".emote.training.prepare_cli",
    "emote train": ".emote.training.train_cli",
    "export": ".emo.training.export_cli",
    "overfit": ".emo.training.overfit_cli",
    "avatar": ".avatar.cli",
    "avatar train": ".avatar.train_cli",
    "avatar speak": ".avatar.speak_cli",
    "avatar info": ".avatar.info_cli",
    "evaluate": ".evaluate.cli",
    "weights": ".emo.weights.cli",
    "queue": ".client.cli",
}
"""The module that adds each command with `add_parser(commands)`."""


def main(arguments: list[str] | None = None) -> int:
    """Run a command; see `run_command` for the exit codes."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if " ".join(arguments[:2]) in COMMANDS:
        arguments = [" ".join(arguments[:2]), *arguments[2:]]
    return run_command(lambda: build_parser(arguments), arguments)


def build_parser(arguments: list[str]) -> argparse.ArgumentParser:
    """Build the parser. Only the modules of the named command are imported: `queue` needs no torch.

    Raises:
        InputError: if a package of the named command is not installed.
    """
    parser = OneLineParser(prog="python -m emo_core", description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    installed = [name for name, module in COMMANDS.items() if _installed(module)]
    for name in arguments[:1] if arguments[:1] and arguments[0] in installed else installed:
        try:
            importlib.import_module(COMMANDS[name], __package__).add_parser(commands)
        except ImportError as error:
            needs = f"needs {error.name or error}: pip install -r requirements-train.txt"
            if arguments[:1] == [name]:
                raise InputError(f"{name} {needs}") from error
            commands.add_parser(name, help=needs)
    return parser


def _installed(module: str) -> bool:
    """The registry's archive leaves out the training and evaluation commands."""
    try:
        return importlib.util.find_spec(module, __package__) is not None
    except ModuleNotFoundError:  # Its folder is not there.
        return False


if __name__ == "__main__":
    faulthandler.enable()  # A crash in a library says where.
    sys.exit(main())
