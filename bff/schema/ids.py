"""Opaque global ids: a type's name and the back office's own id, so that `node(id:)` knows what to ask for."""

import base64
import binascii

from bff.errors import NotFound


def global_id(kind: str, local_id: str) -> str:
    """The id that the front end sees."""
    return base64.urlsafe_b64encode(f"{kind}:{local_id}".encode()).decode()


def local_id(value: str, kind: str) -> str:
    """The id that the back office knows. Raises `NotFound` for what is not an id of that kind."""
    try:
        name, separator, local = base64.b64decode(value, altchars=b"-_", validate=True).decode().partition(":")
    except (ValueError, binascii.Error):
        raise NotFound("there is no such object") from None
    if name != kind or not separator or not local or not local.isprintable() or len(local) > 200:
        raise NotFound("there is no such object")
    return local
