"""Checks that the commands have in common."""

from pathlib import Path

from ..errors import InputError


def check_numbers(*, fps: float | None, max_seconds: float | None, seed: int) -> None:
    """Check options that are numbers.

    Raises:
        InputError: for one out of range.
    """
    if fps is not None and not 1 <= fps <= 120:
        raise InputError(f"fps: got {fps:g}; expected 1 .. 120")
    if max_seconds is not None and not 0 < max_seconds < float("inf"):
        raise InputError(f"max seconds: got {max_seconds:g}; expected more than 0")
    if not 0 <= seed < 2**64:
        raise InputError(f"seed: got {seed}; expected 0 .. 2^64 - 1")


def check_no_input(out: Path, *inputs: Path | None) -> None:
    """Keep a result from replacing one of its inputs.

    Raises:
        InputError: if it would.
    """
    if out.resolve() in {path.resolve() for path in inputs if path is not None}:
        raise InputError(f"out: {out} is also an input; give another name")
