"""Addresses of servers. User and password are kept apart, so that no message, event or file has them."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from ..errors import InputError

EXAMPLE = "give an address such as http://127.0.0.1:8188"


@dataclass(frozen=True, slots=True)
class Address:
    """A server's address."""

    url: str
    """Without user, password and a slash at the end."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Sent with every request."""

    @classmethod
    def parse(cls, text: str) -> "Address":
        """Read an address, with http:// in front if it has no scheme. It may have a user, a password and a path.

        Raises:
            InputError: if it cannot be read. The message shows nothing before the last @.
        """
        shown = "…@" + text.rpartition("@")[2] if "@" in text else text
        try:
            parts = urlsplit(text.strip() if "://" in text else f"http://{text.strip()}")
            host, _ = parts.hostname, parts.port
        except ValueError as error:
            raise InputError(f"server: {shown!r} is no address; {EXAMPLE}") from error
        if "@" in parts.path + parts.query + parts.fragment:
            raise InputError(
                f"server: {shown!r} has an @ in its path; write / ? and # in a password as %2F, %3F and %23"
            )
        if parts.scheme not in ("http", "https") or not host:
            raise InputError(f"server: {shown!r} is no address of the web; {EXAMPLE}")
        if parts.query or parts.fragment:
            raise InputError(f"server: {shown!r} has a part behind ? or #; {EXAMPLE}")
        place = parts.netloc.rpartition("@")[2]
        return cls(f"{parts.scheme}://{place}{parts.path.rstrip('/')}", _login(parts.username, parts.password))


def _login(user: str | None, password: str | None) -> dict[str, str]:
    """The header of HTTP's Basic authentication."""
    if user is None:
        return {}
    text = f"{unquote(user)}:{unquote(password or '')}"
    return {"Authorization": "Basic " + base64.b64encode(text.encode()).decode("ascii")}
