"""Options that belong to some models only, and the error where another model is given one."""

import argparse
from collections.abc import Callable
from typing import Any

from ..errors import InputError

Add = Callable[..., Any]
"""`ArgumentParser.add_argument`, or one that remembers."""


class OptionGroup:
    """Options of one kind of model."""

    def __init__(self, parser: argparse.ArgumentParser, title: str) -> None:
        self._group = parser.add_argument_group(title)
        self._actions: list[argparse.Action] = []

    def add(self, *names: str, **options: Any) -> None:
        """Add an option, as `ArgumentParser.add_argument`."""
        self._actions.append(self._group.add_argument(*names, **options))

    def refuse(self, args: argparse.Namespace, model: str, others: str) -> None:
        """Raise InputError if one of the options was given.

        Args:
            args: the parsed options.
            model: that was chosen and does not have them.
            others: the models that do.
        """
        given = [action for action in self._actions if getattr(args, action.dest) != action.default]
        if given:
            name = given[0].option_strings[0]
            raise InputError(f"{name}: the model {model} has no such option; leave it out, or choose {others}")
