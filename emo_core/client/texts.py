"""Texts that the browser changes before it sends a prompt: `a {red|blue} hat`, and `%date:yyyy-MM-dd%` in names of files."""

import random
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

COMMENTS = re.compile(r"/\*.*?\*/|//[^\n\r\u2028\u2029]*", re.DOTALL)
ESCAPED = re.compile(r"\\([{}|])")
PLACEHOLDER = re.compile(r"%([^%]+)%")
DATE_PARTS = re.compile(r"dd?|MM?|hh?|mm?|ss?|yyy?y?")
UNSAFE = re.compile(r'[/?<>\\:*|"\x00-\x1f\x7f]')
"""Signs that a value loses in the name of a file."""
MAX_DEPTH = 50
"""Alternatives inside alternatives. Deeper text stays as it is."""


def choose(text: str, generator: random.Random, depth: int = 0) -> str:
    """Replace every `{a|b}` by one of its parts at random, which may have alternatives in turn, and drop comments.

    Args:
        text: with alternatives, `/* comments */` and `// comments`. A backslash keeps a brace or a bar.
        generator: of the choice.
        depth: number of alternatives around the text.
    """
    if depth >= MAX_DEPTH:
        return text
    text, result, place = COMMENTS.sub("", text), [], 0
    while place < len(text):
        if text[place] == "{":
            parts, place = _parts(text, place + 1)
            result.append(choose(generator.choice(parts), generator, depth + 1))
        else:
            end = place + (2 if text[place] == "\\" else 1)
            result.append(text[place:end])
            place = end
    return ESCAPED.sub(r"\1", "".join(result))


def _parts(text: str, place: int) -> tuple[list[str], int]:
    """The alternatives from behind a brace on, and the place behind the last one."""
    parts, depth = [""], 0
    while place < len(text):
        sign = text[place : place + 2] if text[place] == "\\" else text[place]
        place += len(sign)
        if sign == "}" and depth == 0:
            break
        if sign == "|" and depth == 0:
            parts.append("")
            continue
        depth += {"{": 1, "}": -1}.get(sign, 0)
        parts[-1] += sign
    return parts, place


def fill(text: str, now: datetime, find: Callable[[str, str], Any]) -> str:
    """Replace `%date:FORMAT%` and `%NODE.WIDGET%` in the name of a file.

    Args:
        text: with placeholders. Others, such as the server's `%width%`, stay.
        now: the date, written with d, M, yy or yyyy, h, m and s.
        find: the value of a node's widget; None for no such widget.
    """

    def replacement(match: re.Match[str]) -> str:
        parts = match[1].split(".")
        if len(parts) != 2:
            is_date = parts[0].startswith("date:")
            return DATE_PARTS.sub(lambda part: _date_part(part[0], now), parts[0][5:]) if is_date else match[0]
        value = find(*parts)
        return match[0] if value is None else UNSAFE.sub("_", _as_text(value))

    return PLACEHOLDER.sub(replacement, text)


def _date_part(part: str, now: datetime) -> str:
    if part[0] == "y":
        return {2: f"{now.year:04}"[2:], 4: str(now.year)}.get(len(part), part)
    value = {"d": now.day, "M": now.month, "h": now.hour, "m": now.minute, "s": now.second}[part[0]]
    return str(value).zfill(len(part))


def _as_text(value: Any) -> str:
    """A value as the browser writes it: `true`, and 1 for 1.0."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
