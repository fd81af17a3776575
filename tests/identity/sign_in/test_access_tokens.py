"""Access tokens of this service: only its own text is believed, and only while the session lives."""

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey

from bff.errors import Unauthenticated
from bff.identity.subkeys import Subkeys
from tests.identity.sign_in.door import ANNAS_MAIL, SECRET, Door, access, name_of, refresh

pytestmark = pytest.mark.anyio


def segment(value: Any) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def parts(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    header, claims = (json.loads(base64.urlsafe_b64decode(text + "===")) for text in token.split(".")[:2])
    return header, claims


def signed(header: Any, claims: Any, key: bytes) -> str:
    text = f"{header if isinstance(header, str) else segment(header)}.{segment(claims)}"
    return f"{text}.{segment(hmac.new(key, text.encode(), hashlib.sha256).digest())}"


async def refused(door: Door, token: str) -> None:
    with pytest.raises(Unauthenticated) as caught:
        await door.sign_in.principal_of_access_token(token)
    assert caught.value.__cause__ is None
    assert len(str(caught.value)) < 100


async def test_what_stands_in_a_token(door: Door) -> None:
    session = await door.session()
    now = int(door.watch.seconds())
    header, claims = parts(access(session))
    assert header == {"alg": "HS256", "typ": "at+jwt", "kid": "kabinet"}
    assert claims == {
        "iss": "kabinet",
        "aud": "kabinet",
        "sub": "c-1",
        "sid": name_of(session.principal),
        "iat": now,
        "exp": now + 600,
        "auth_time": now,
        "scope": "",
    }
    door.later(60)
    _, claims = parts(access(await door.sign_in.refresh(refresh(session))))
    assert (claims["auth_time"], claims["iat"], claims["exp"]) == (now, now + 60, now + 660)


@pytest.mark.parametrize(("seconds", "good"), [(599, True), (600, False), (-10, True), (-11, False)])
async def test_a_token_lives_ten_minutes(door: Door, seconds: int, good: bool) -> None:
    session = await door.session()
    door.later(seconds)
    if good:
        assert await door.sign_in.principal_of_access_token(access(session)) == session.principal
    else:
        await refused(door, access(session))


async def test_tokens_that_were_tampered_with_are_refused(door: Door) -> None:
    token = access(await door.session())
    header, claims = parts(token)
    head, body, mac = token.split(".")
    key = Subkeys(SECRET).key("access tokens")
    assert (await door.sign_in.principal_of_access_token(signed(head, claims, key))).customer == "c-1"
    bad = [
        "",
        ".",
        "..",
        head,
        f"{head}.",
        f"{head}.{body}",
        f"{head}.{body}.",
        f"{head}.{body}.{mac[:-4]}",
        f"{head}.{body}.{mac}.{mac}",
        f"{head}.{body}.ж",
        f"{head}.{body}.{segment(bytes(32))}",
        f"{head}.{segment({**claims, 'sub': 'c-2'})}.{mac}",
        f"{segment({'alg': 'none', 'typ': 'at+jwt'})}.{body}.",
        signed({**header, "alg": "none"}, claims, key),
        signed({**header, "typ": "JWT"}, claims, key),
        signed({**header, "kid": "../../etc/passwd"}, claims, key),
        signed({**header, "jku": "https://evil.example/keys"}, claims, key),
        signed({**header, "crit": ["exp"]}, claims, key),
        signed(head, claims, SECRET.encode()),
        signed(head, claims, b""),
        jwt.encode({**header, "alg": "HS512"}, claims, OctKey.import_key(key), algorithms=["HS512"]),
        f"{head}.{'A' * 10_000}.{mac}",
    ]
    for text in bad:
        await refused(door, text)


async def test_a_token_of_another_service_or_secret_is_refused(door: Door) -> None:
    session = await door.session()
    others = (
        door.another(issuer="another"),
        door.another(audience="another"),
        door.another(secret="another secret that is long enough, too"),
    )
    for other in others:
        with pytest.raises(Unauthenticated):
            await other.principal_of_access_token(access(session))


async def test_a_token_whose_customer_is_not_the_sessions_is_refused(door: Door) -> None:
    session = await door.session()
    tokens = door.sign_in._sessions._access
    other = tokens.sign("c-2", name_of(session.principal), signed_in_at=0.0, scopes=())  # type: ignore[arg-type]
    await refused(door, other)


async def test_a_refresh_token_is_no_access_token(door: Door) -> None:
    session = await door.session(ANNAS_MAIL)
    await refused(door, refresh(session))
    assert door.sign_in.is_ours(access(session))
    assert not door.sign_in.is_ours(refresh(session))
    assert not door.sign_in.is_ours(jwt.encode({"alg": "HS256"}, {"sub": "c-1"}, OctKey.import_key(SECRET)))


async def test_a_good_signature_is_not_checked_twice_and_still_ends(door: Door) -> None:
    session = await door.session()
    for _ in range(3):
        await door.sign_in.principal_of_access_token(access(session))
    await door.sign_in.sign_out(session.principal)
    await refused(door, access(session))
