"""
Signing in at an identity provider: authorization code with PKCE (OpenID Connect Core, 3.1; RFC 7636; RFC 9207).

This service is the confidential client. What comes of it is a `ProviderSubject`; whose cabinet that opens is for
others to say.
"""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final
from urllib.parse import quote, quote_plus, urlencode, urlsplit

from joserfc import jwt

from bff.domain import CustomerId
from bff.domain.clock import Clock, utc_now
from bff.errors import BackOfficeError, Code, KabinetError, Unauthenticated
from bff.http import HttpClients
from bff.identity.attempts import Attempt
from bff.identity.provider_settings import ContactClaim, ProviderSettings
from bff.identity.published import (
    Documents,
    KeysUnavailable,
    ProviderHttp,
    Published,
    from_discovery,
    json_object,
)
from bff.identity.signatures import MAX_TOKEN_CHARS, REFUSALS, Signatures, refused
from bff.identity.tokens import customer_id

MAX_CODE_CHARS: Final = 4_096
MAX_SUBJECT_CHARS: Final = 255
MAX_CONTACT_CHARS: Final = 254


class Failure(StrEnum):
    """Why a sign-in did not succeed, as far as the page may know."""

    CANCELLED = "cancelled"
    """The customer said no at the provider."""
    REFUSED = "refused"
    """What came back is not what was asked for, or the provider does not accept it."""
    UNAVAILABLE = "unavailable"
    """The provider cannot be reached, or does not answer as it should."""
    NO_CONTACT = "no_contact"
    """The provider vouches for no phone and no mail address of this customer."""


class SignInFailed(KabinetError):
    """Nobody was signed in. The text is for the log, and holds nothing that came from outside."""

    code = Code.UNAUTHENTICATED

    def __init__(self, failure: Failure, message: str) -> None:
        super().__init__(message)
        self.failure = failure


@dataclass(frozen=True, slots=True)
class ProviderSubject:
    """
    Who signed in at a provider: one of `customer`, `phone` and `email` is there. It prints none of them.

    `phone` and `email` are verified by the provider, and as it writes them: not normalised.
    """

    provider: str
    subject: str = field(repr=False)
    """The provider's own id of the customer, good together with `provider` only."""
    customer: CustomerId | None = field(default=None, repr=False)
    phone: str | None = field(default=None, repr=False)
    email: str | None = field(default=None, repr=False)


class IdentityProvider:
    """One provider. `redirect_uri` is our callback's address, as the provider has it registered."""

    def __init__(
        self,
        name: str,
        settings: ProviderSettings,
        clients: HttpClients,
        *,
        redirect_uri: str,
        clock: Clock = utc_now,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self._settings = settings
        self._redirect_uri = redirect_uri
        self._http = ProviderHttp(
            clients,
            name,
            address=settings.issuer,
            ca_file=settings.ca_file,
            allow_plain_http=settings.allow_plain_http,
        )
        self._published = Published(
            self._http,
            lambda: from_discovery(self._http, settings.issuer),
            refresh_seconds=settings.refresh_seconds,
            monotonic=monotonic,
        )
        self._signatures = Signatures(self._published)
        self._claims = jwt.JWTClaimsRegistry(
            now=lambda: int(clock().timestamp()),
            leeway=settings.leeway_seconds,
            iss={"essential": True, "value": settings.issuer},
            aud={"essential": True, "value": settings.client_id},
            exp={"essential": True},
            iat={"essential": True},
            sub={"essential": True},
        )

    async def address(self, attempt: Attempt) -> str:
        """Where the browser goes to sign in. Raises `SignInFailed`."""
        challenge = hashlib.sha256(attempt.verifier.encode()).digest()
        endpoint = self._endpoint(await self._documents(), "authorization_endpoint")
        query = urlencode(
            {
                "response_type": "code",
                "client_id": self._settings.client_id,
                "redirect_uri": self._redirect_uri,
                "scope": " ".join(self._settings.scopes),
                "state": attempt.state,
                "nonce": attempt.nonce,
                "code_challenge": base64.urlsafe_b64encode(challenge).rstrip(b"=").decode(),
                "code_challenge_method": "S256",
            },
            quote_via=quote,
        )
        return f"{endpoint}{'&' if urlsplit(endpoint).query else '?'}{query}"

    async def subject(self, attempt: Attempt, answer: Mapping[str, str]) -> ProviderSubject:
        """
        Who signed in. `answer` holds what the provider sent with the browser: parameters of the callback's address.

        The caller has made sure that `attempt` is this browser's and this provider's, and that the state in `answer`
        is the attempt's. Raises `SignInFailed`.
        """
        documents = await self._documents()
        self._check_issuer(answer, documents)
        if "error" in answer:
            cancelled = answer["error"] == "access_denied"
            raise SignInFailed(Failure.CANCELLED if cancelled else Failure.REFUSED, "the provider answers an error")
        code = answer.get("code", "")
        if not code or len(code) > MAX_CODE_CHARS:
            raise SignInFailed(Failure.REFUSED, "the provider sends no code")
        try:
            tokens = await self._exchange(documents, code, attempt.verifier)
            claims = await self._id_token(tokens, attempt.nonce)
            return await self._subject(documents, claims, tokens)
        except Unauthenticated as error:
            raise SignInFailed(Failure.REFUSED, str(error)) from None
        except (KeysUnavailable, BackOfficeError) as error:
            raise SignInFailed(Failure.UNAVAILABLE, str(error)) from None

    async def close(self) -> None:
        """Close the connections to it."""
        await self._published.close()

    async def _documents(self) -> Documents:
        try:
            return await self._published.documents()
        except KeysUnavailable as error:
            raise SignInFailed(Failure.UNAVAILABLE, str(error)) from None

    def _endpoint(self, documents: Documents, name: str) -> str:
        url = documents.metadata.get(name)
        if not isinstance(url, str) or not self._http.may_call(url):
            raise SignInFailed(Failure.UNAVAILABLE, f"its metadata has no {name} that we call")
        return url

    def _check_issuer(self, answer: Mapping[str, str], documents: Documents) -> None:
        # RFC 9207 (2.4): another provider's answer must not be taken for this one's.
        named = answer.get("iss")
        promised = documents.metadata.get("authorization_response_iss_parameter_supported") is True
        if named != self._settings.issuer and (named is not None or promised):
            raise SignInFailed(Failure.REFUSED, "the answer comes from another issuer")

    async def _exchange(self, documents: Documents, code: str, verifier: str) -> Mapping[str, Any]:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._redirect_uri,
            "code_verifier": verifier,
        }
        headers = {"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded"}
        client, secret = self._settings.client_id, self._settings.client_secret.get_secret_value()
        if self._secret_in_body(documents):
            form |= {"client_id": client, "client_secret": secret}
        else:
            # RFC 6749 (2.3.1): each of the two is form-encoded first.
            pair = f"{quote_plus(client)}:{quote_plus(secret)}".encode()
            headers["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
        url = self._endpoint(documents, "token_endpoint")
        reply = await self._http.request("POST", url, headers=headers, body=urlencode(form).encode())
        if reply.status == 400 and _error(reply.body) == "invalid_grant":
            raise Unauthenticated("the provider does not accept the code")
        if reply.status == 400:
            raise SignInFailed(Failure.UNAVAILABLE, "the provider refuses our request for tokens")
        reply.refuse_errors()
        return json_object(reply)

    def _secret_in_body(self, documents: Documents) -> bool:
        if self._settings.client_auth != "auto":
            return self._settings.client_auth == "client_secret_post"
        taken = documents.metadata.get("token_endpoint_auth_methods_supported")
        return isinstance(taken, list) and "client_secret_basic" not in taken and "client_secret_post" in taken

    async def _id_token(self, tokens: Mapping[str, Any], nonce: str) -> Mapping[str, Any]:
        """The claims of the ID token (Core, 3.1.3.7). Raises `Unauthenticated`, or `KeysUnavailable`."""
        raw = tokens.get("id_token")
        if not isinstance(raw, str):
            raise Unauthenticated("the provider sends no ID token")
        token = await self._signatures.read(raw)
        claims = token.claims
        try:
            self._claims.validate(claims)
        except REFUSALS as error:
            raise refused(error) from None
        client = self._settings.client_id
        if claims.get("azp", client) != client or (claims["aud"] not in (client, [client]) and "azp" not in claims):
            raise Unauthenticated("the ID token is for another client")
        if token.header.get("typ", "JWT").upper() != "JWT":
            raise Unauthenticated("the token is no ID token")
        given = claims.get("nonce")
        if not isinstance(given, str) or not hmac.compare_digest(given.encode(errors="replace"), nonce.encode()):
            raise Unauthenticated("the nonce is not this browser's")
        return claims

    async def _subject(
        self, documents: Documents, claims: Mapping[str, Any], tokens: Mapping[str, Any]
    ) -> ProviderSubject:
        subject = claims["sub"]
        if not subject.isprintable() or len(subject) > MAX_SUBJECT_CHARS:
            raise Unauthenticated("the subject is not a provider's id")
        wanted = self._settings.customer_claim
        if not (wanted in claims if wanted is not None else self._contact(claims)):
            claims = await self._userinfo(documents, claims, tokens)
        if wanted is not None:
            return ProviderSubject(self.name, subject, customer=customer_id(claims, wanted))
        if (contact := self._contact(claims)) is None:
            raise SignInFailed(Failure.NO_CONTACT, "the provider vouches for no contact")
        claim, value = contact
        if claim == "email":
            return ProviderSubject(self.name, subject, email=value)
        return ProviderSubject(self.name, subject, phone=value)

    def _contact(self, claims: Mapping[str, Any]) -> tuple[ContactClaim, str] | None:
        """The first contact that the provider has verified: else anybody could write another's into a profile."""
        for claim in self._settings.contact_claims:
            value, verified = claims.get(claim), claims.get(f"{claim}_verified")
            # Apple writes true as a text.
            if (
                isinstance(value, str)
                and 0 < len(value) <= MAX_CONTACT_CHARS
                and (verified is True or verified == "true")
            ):
                return claim, value
        return None

    async def _userinfo(
        self, documents: Documents, claims: Mapping[str, Any], tokens: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """What the provider tells of the customer beside the ID token (Core, 5.3)."""
        access = tokens.get("access_token")
        # It becomes a header: letters, digits and some signs (RFC 6750, 2.1).
        usable = (
            isinstance(access, str) and access.isascii() and access.isprintable() and len(access) <= MAX_TOKEN_CHARS
        )
        if not usable or "userinfo_endpoint" not in documents.metadata:
            return claims
        url = self._endpoint(documents, "userinfo_endpoint")
        found = await self._http.document(url, {"Authorization": f"Bearer {access}"})
        if found.get("sub") != claims["sub"]:
            # Core (5.3.4): else one customer's token could bring another's contacts.
            raise Unauthenticated("the provider tells of somebody else")
        return found


def _error(body: bytes) -> object:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return found.get("error") if isinstance(found, dict) else None
