"""The trainer's command line: `python -m emo_core.trainer prepare|cache|train|export|overfit`."""

import argparse
import sys

from ..__main__ import OneLineParser, run_command, silence_native_logs


def main(arguments: list[str] | None = None) -> int:
    """Run a command; exit codes as for `python -m emo_core`."""
    return run_command(_parser, arguments)


def _parser() -> argparse.ArgumentParser:
    from .overfit_cli import add_parser as add_overfit
    from .prepare_cli import add_parser as add_prepare
    from .train_cli import add_parsers as add_training

    parser = OneLineParser(prog="python -m emo_core.trainer", description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    add_prepare(commands)
    add_training(commands)
    add_overfit(commands)
    return parser


if __name__ == "__main__":
    silence_native_logs()
    sys.exit(main())
