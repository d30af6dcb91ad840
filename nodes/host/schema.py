"""Node schemas that older hosts accept too."""

import dataclasses
from typing import Any, TypeVar

from comfy_api.latest import io

SCHEMA_FIELDS = {field.name for field in dataclasses.fields(io.Schema)}
AnyInput = TypeVar("AnyInput")


def schema(category: str, **fields: Any) -> io.Schema:
    """Return a node's schema. Fields that this host does not know yet (such as search_aliases) are left out."""
    return io.Schema(category=category, **{name: value for name, value in fields.items() if name in SCHEMA_FIELDS})


def advanced(widget: AnyInput) -> AnyInput:
    """Return a new widget that the host shows only if the user asks for advanced inputs. Older hosts always show it."""
    if hasattr(widget, "advanced"):
        widget.advanced = True
    return widget
