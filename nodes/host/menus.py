"""Choices of a menu, checked: hosts do not do it for nodes of this kind."""

from ...emo_core.errors import InputError

MODES = ["auto", "expanded", "loop"]
"""How Motion Frame Chainer runs its clips."""


def one_of(name: str, value: str | None, choices: list[str]) -> bool | str:
    """For `validate_inputs`: True, or what is wrong. None is a value that another node will give."""
    if value is None or value in choices:
        return True
    return f"{name}: unknown name {value!r}; choose one of {', '.join(choices)}"


def chosen(name: str, value: str, choices: list[str]) -> str:
    """For `execute`, where another node has given the value.

    Raises:
        InputError: where it is none of the choices.
    """
    problem = one_of(name, value, choices)
    if problem is not True:
        raise InputError(problem)
    return value
