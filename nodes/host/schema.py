"""Node schemas that older hosts accept too."""

import dataclasses
from typing import Any

from comfy_api.latest import io

SCHEMA_FIELDS = {field.name for field in dataclasses.fields(io.Schema)}


def schema(category: str, **fields: Any) -> io.Schema:
    """Return a node's schema. Fields that this host does not know yet (such as search_aliases) are left out."""
    return io.Schema(category=category, **{name: value for name, value in fields.items() if name in SCHEMA_FIELDS})
