"""Plain data of a file (JSON) to frozen dataclasses, with every type and limit checked, because files are input."""

import dataclasses
import reprlib
import typing
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar

T = TypeVar("T")
MAX_ITEMS = 64
"""Items of a tuple without `Items`."""
LARGEST = 1e30
"""Bound of numbers without `Between`."""
MAX_TEXT = 10_000
"""Characters of a text."""


@dataclass(frozen=True, slots=True)
class Between:
    """Limits of a number, as `Annotated[int, Between(1, 64)]`."""

    low: float
    high: float

    def check(self, value: float, name: str) -> None:
        """Raise ValueError outside the limits."""
        if not self.low <= value <= self.high:
            raise _wrong(name, value, f"{self.low:g} .. {self.high:g}")


@dataclass(frozen=True, slots=True)
class Items:
    """Limits of a tuple's length."""

    low: int
    high: int

    def check(self, value: tuple, name: str) -> None:
        """Raise ValueError outside the limits."""
        if not self.low <= len(value) <= self.high:
            raise _wrong(name, value, f"{self.low} .. {self.high} items")


def read_fields(kind: type[T], data: Any, *, only_known: bool = True) -> T:
    """Build a dataclass, and those inside it, from plain data. A missing field takes its default.

    Args:
        kind: a dataclass whose fields are of type int, float, bool, str, Literal, tuple, a dataclass, or Annotated with a
            `Between` or `Items`.
        data: what `json.loads` gave.
        only_known: whether a field that the dataclass does not have is an error; else it is left out.

    Raises:
        ValueError: for unknown, missing, mistyped or impossible fields.
    """
    return _read_dataclass(kind, data, "", only_known)


def _read_dataclass(kind: type, data: Any, name: str, only_known: bool) -> Any:
    if not isinstance(data, dict):
        raise _wrong(name or kind.__name__, data, "named fields")
    hints = typing.get_type_hints(kind, include_extras=True)
    unknown = sorted(set(data) - set(hints))
    if unknown and only_known:
        raise ValueError(f"unknown fields {reprlib.repr(unknown)} in {kind.__name__}")
    required = {field.name for field in dataclasses.fields(kind) if _is_required(field)}
    missing = sorted(required - set(data))
    if missing:
        raise ValueError(f"fields {missing} are missing in {kind.__name__}")
    prefix = f"{name}." if name else ""
    return kind(
        **{key: _read(hints[key], item, f"{prefix}{key}", only_known) for key, item in data.items() if key in hints}
    )


def _is_required(field: dataclasses.Field) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _read(hint: Any, value: Any, name: str, only_known: bool) -> Any:
    if typing.get_origin(hint) is Annotated:
        plain, limits = typing.get_args(hint)
        value = _read(plain, value, name, only_known)
        limits.check(value, name)
        return value
    if dataclasses.is_dataclass(hint):
        return _read_dataclass(hint, value, name, only_known)
    if typing.get_origin(hint) is tuple:
        return _read_tuple(typing.get_args(hint), value, name, only_known)
    if typing.get_origin(hint) is Literal:
        if value not in typing.get_args(hint):
            raise _wrong(name, value, f"one of {', '.join(map(repr, typing.get_args(hint)))}")
        return value
    return _read_plain(hint, value, name)


def _read_tuple(kinds: tuple, value: Any, name: str, only_known: bool) -> tuple:
    if not isinstance(value, (list, tuple)) or len(value) > MAX_ITEMS:
        raise _wrong(name, value, f"a list of up to {MAX_ITEMS} items")
    if kinds[-1] is Ellipsis:
        kinds = kinds[:1] * len(value)
    if len(kinds) != len(value):
        raise _wrong(name, value, f"a list of {len(kinds)} items")
    return tuple(_read(kind, item, name, only_known) for kind, item in zip(kinds, value, strict=True))


def _read_plain(kind: type, value: Any, name: str) -> Any:
    if kind is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        if abs(value) < LARGEST:  # False for nan. Integers beyond a float's range compare, but do not convert.
            return float(value)
        raise _wrong(name, value, "a finite number")
    if type(value) is not kind:
        raise _wrong(name, value, {int: "a whole number", bool: "true or false", str: "a text"}.get(kind, "a number"))
    if kind is str and len(value) > MAX_TEXT:
        raise _wrong(name, value, f"a text of up to {MAX_TEXT} characters")
    return value


def _wrong(name: str, value: Any, expected: str) -> ValueError:
    return ValueError(f"{name}: got {reprlib.repr(value)}; expected {expected}")
