"""Checks of menu values. The host does not check the menus of nodes that define `validate_inputs`."""

from collections.abc import Sequence

from ...emo_core.errors import InputError


def check_choices(**menus: tuple[str | None, Sequence[str]]) -> bool | str:
    """Check menus in `validate_inputs`.

    Args:
        menus: value and choices of each menu. The value is None while it is still to come from another node.

    Returns:
        True, or the message for the first wrong value.
    """
    for name, (value, choices) in menus.items():
        if value is not None and value not in choices:
            return _message(name, value, choices)
    return True


def require_choice(name: str, value: str, choices: Sequence[str]) -> str:
    """Return a menu's value in `execute`, where it may come from another node.

    Raises:
        InputError: if it is none of the choices.
    """
    if value not in choices:
        raise InputError(_message(name, value, choices))
    return value


def _message(name: str, value: str, choices: Sequence[str]) -> str:
    return f"{name}: unknown name {value!r}; choose one of {', '.join(choices)}"
