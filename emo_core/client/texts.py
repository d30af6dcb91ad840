"""Texts with alternatives, such as `a {red|blue} hat`, from which the browser chooses one before it sends a prompt."""

import random
import re

COMMENTS = re.compile(r"/\*.*?\*/|//[^\n\r\u2028\u2029]*", re.DOTALL)
ESCAPED = re.compile(r"\\([{}|])")
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
