"""
A real OpenID provider (Canaille) in a process of its own: `python -m tests.identity.oidc.canaille_process`.

It reads what it is to know as JSON from its standard input, and says its address in its first line.
"""

import json
import os
import socket
import sys
from typing import Any

from joserfc.jwk import RSAKey


def main() -> None:
    """Serve until killed."""
    os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"
    from canaille import create_app  # type: ignore[import-untyped]  # noqa: PLC0415 (the variable comes first)
    from canaille.app import models  # type: ignore[import-untyped]  # noqa: PLC0415
    from canaille.backends import Backend  # type: ignore[import-untyped]  # noqa: PLC0415
    from werkzeug.serving import make_server  # noqa: PLC0415

    known: dict[str, Any] = json.load(sys.stdin)
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    key = RSAKey.generate_key(2048)
    key.ensure_kid()
    app = create_app(
        config={
            "ENV_FILE": None,
            "TESTING": True,
            "SECRET_KEY": "of the tests, and of this process alone",
            "WTF_CSRF_ENABLED": False,
            "PREFERRED_URL_SCHEME": "http",
            "SERVER_NAME": f"127.0.0.1:{port}",
            "CANAILLE": {
                "DATABASE": "memory",
                "JAVASCRIPT": False,
                "ACL": {"DEFAULT": {"PERMISSIONS": ["use_oidc"]}},
            },
            "CANAILLE_OIDC": {
                "ACTIVE_JWKS": [key.as_dict(private=True)],
                "TRUSTED_DOMAINS": ["shop.test"],
                "DYNAMIC_CLIENT_REGISTRATION_OPEN": True,
            },
        }
    )
    # Canaille vouches for nothing by itself; these are templates.
    app.config["CANAILLE_OIDC"]["USERINFO_MAPPING"].update(known["claims"])
    with app.app_context():
        for fields in known["users"]:
            password = fields.pop("password")
            user = models.User(family_name="-", **fields)
            Backend.instance.save(user)
            Backend.instance.set_user_password(user, password)
            Backend.instance.save(user)
    sys.stdout.write(f"http://127.0.0.1:{port}\n")
    sys.stdout.flush()
    make_server("127.0.0.1", port, app, threaded=True, fd=listening.fileno()).serve_forever()


if __name__ == "__main__":
    main()
