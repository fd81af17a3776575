"""The demo's signing secret: made on the first use, kept for this user only, never in git."""

import os
import secrets
from pathlib import Path


def demo_secret() -> str:
    """
    The secret that the demo signs tokens with, the same in every process of this user.

    It is kept in `$XDG_STATE_HOME/kabinet/demo-secret` (mode 0600), so that `kabinet token` in another terminal signs
    what a running `kabinet demo` believes.
    """
    path = _state_folder() / "kabinet" / "demo-secret"
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        # O_EXCL: of two processes that start at once, one writes and the other reads.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        if len(kept := path.read_text(encoding="ascii").strip()) >= 32:
            return kept
        path.unlink(missing_ok=True)
        return demo_secret()
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(made := secrets.token_urlsafe(48))
    return made


def _state_folder() -> Path:
    configured = os.environ.get("XDG_STATE_HOME", "")
    return Path(configured) if Path(configured).is_absolute() else Path.home() / ".local" / "state"
