"""Front ends of customers, who sign in at the running service. Each is somewhere, and has a phone or a mailbox."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx2

from tests.patience import PATIENCE_SECONDS
from tests.sign_in.messages import Messages
from tests.sign_in.secrets import Secrets

USER_ERRORS = "userErrors { code field message retryAfter }"
TOKENS = "tokens { accessToken accessExpiresIn refreshToken refreshExpiresIn }"
ENTERED = f"{{ signedIn {TOKENS} registration {{ ticket expiresIn }} {USER_ERRORS} }}"

REQUEST = f"""mutation Request($contact: ContactInput!) {{
  done: requestSignInCode(input: {{contact: $contact}}) {{ resendAfter expiresIn {USER_ERRORS} }} }}"""
SIGN_IN = f"""mutation SignIn($contact: ContactInput!, $code: String!, $mode: SessionMode) {{
  done: signInWithCode(input: {{contact: $contact, code: $code, mode: $mode}}) {ENTERED} }}"""
REGISTER = f"""mutation Register($ticket: String!, $first: String!, $last: String, $mode: SessionMode) {{
  done: registerCustomer(input: {{ticket: $ticket, firstName: $first, lastName: $last, mode: $mode}}) {ENTERED} }}"""
REFRESH = f"""mutation Refresh($token: String!) {{
  done: refreshSession(input: {{refreshToken: $token}}) {{ {TOKENS} {USER_ERRORS} }} }}"""
SIGN_OUT = f"mutation SignOut {{ done: signOut {{ signedOut {USER_ERRORS} }} }}"
SIGN_OUT_EVERYWHERE = f"mutation SignOutEverywhere {{ done: signOutEverywhere {{ signedOut {USER_ERRORS} }} }}"
REQUEST_SECOND = f"mutation RequestSecond {{ done: requestSecondFactor {{ resendAfter expiresIn {USER_ERRORS} }} }}"
CONFIRM_SECOND = f"""mutation ConfirmSecond($code: String!) {{
  done: confirmSecondFactor(input: {{code: $code}}) {{ freshFor {USER_ERRORS} }} }}"""
PROFILE = "query Profile { dashboard { profile { displayName phone email } } }"

CSRF = {"X-Kabinet-CSRF": "1"}


@dataclass(slots=True)
class Customer:
    """One front end. What it was told last is in `tokens` or in `cookie`, and goes with what it asks."""

    address: str
    http: httpx2.Client
    messages: Messages
    secrets: Secrets
    contact: Mapping[str, str]
    network: str
    tokens: dict[str, Any] | None = None
    cookie: str | None = None
    asked_for: int = field(default=0)
    """How many codes it got so far."""

    def post(
        self, query: str, variables: Mapping[str, Any] | None = None, /, *, path: str = "/graphql", **headers: str
    ) -> httpx2.Response:
        """
        Send an operation as it is.

        Names of headers have `_` for `-`; they go over those of a front end, and an empty one takes one away.
        """
        sent = {"X-Forwarded-For": self.network}
        if self.tokens is not None:
            sent["Authorization"] = f"Bearer {self.access}"
        if self.cookie is not None:
            sent |= {"Cookie": f"__Host-kabinet={self.cookie}", **CSRF}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        body = {"query": query, "variables": variables or {}}
        raw = {name.encode(): value.encode() for name, value in sent.items() if value}
        return self.http.post(self.address + path, json=body, headers=raw, timeout=PATIENCE_SECONDS)

    def ask(self, query: str, variables: Mapping[str, Any] | None = None, /, **headers: str) -> dict[str, Any]:
        """The whole answer; it must be one of an executed operation."""
        reply = self.post(query, variables, **headers)
        assert reply.status_code == 200, reply.text
        answer: dict[str, Any] = reply.json()
        return answer

    def do(self, mutation: str, variables: Mapping[str, Any] | None = None, /, **headers: str) -> dict[str, Any]:
        """What a mutation gave, without an error of the request."""
        answer = self.ask(mutation, variables, **headers)
        assert "errors" not in answer, answer["errors"]
        done: dict[str, Any] = answer["data"]["done"]
        return done

    def request_code(self) -> dict[str, Any]:
        """Have a code sent, or be told why not."""
        done = self.do(REQUEST, {"contact": self.contact})
        if not done["userErrors"]:
            self.asked_for += 1
        return done

    def code(self) -> str:
        """Have a code sent, and read it."""
        assert self.request_code()["userErrors"] == []
        return self.messages.code(self.contact, self.asked_for)

    def enter(self, code: str, mode: str | None = None) -> dict[str, Any]:
        """Sign in with a code."""
        return self._entered(SIGN_IN, {"contact": self.contact, "code": code, "mode": mode})

    def sign_in(self, mode: str | None = None) -> "Customer":
        """Sign in, as one who is known."""
        assert self.enter(self.code(), mode)["signedIn"] is True
        return self

    def ticket(self) -> str:
        """Sign in, as one who is unknown; what registers them."""
        offer = self.enter(self.code())["registration"]
        self.secrets.add(offer["ticket"])
        return str(offer["ticket"])

    def register(self, ticket: str, first: str, last: str | None = None, mode: str | None = None) -> dict[str, Any]:
        """Become a customer."""
        return self._entered(REGISTER, {"ticket": ticket, "first": first, "last": last, "mode": mode})

    def refresh(self, token: str | None = None) -> dict[str, Any]:
        """The whole answer to a refresh token; new tokens take the place of the old ones."""
        answer = self.ask(REFRESH, {"token": token or self.refresh_token}, Authorization="")
        if "errors" not in answer:
            self._keep(answer["data"]["done"]["tokens"])
        return answer

    def profile(self, **headers: str) -> dict[str, Any] | None:
        """Who the service says that this is; None for a guest."""
        answer = self.ask(PROFILE, **headers)
        if "errors" in answer:
            assert codes(answer) == ["UNAUTHENTICATED"], answer
            return None
        found: dict[str, Any] = answer["data"]["dashboard"]["profile"]
        return found

    @property
    def access(self) -> str:
        """The access token."""
        assert self.tokens is not None
        return str(self.tokens["accessToken"])

    @property
    def refresh_token(self) -> str:
        """The refresh token."""
        assert self.tokens is not None
        return str(self.tokens["refreshToken"])

    def _entered(self, mutation: str, variables: Mapping[str, Any]) -> dict[str, Any]:
        reply = self.post(mutation, variables)
        answer = reply.json()
        assert "errors" not in answer, answer["errors"]
        done: dict[str, Any] = answer["data"]["done"]
        if done["tokens"] is not None:
            self._keep(done["tokens"])
        if (header := reply.headers.get("set-cookie")) is not None:
            self.cookie = header.partition(";")[0].removeprefix("__Host-kabinet=")
            self.secrets.add(self.cookie)
        return done

    def _keep(self, tokens: dict[str, Any]) -> None:
        self.tokens = tokens
        self.secrets.add(tokens["accessToken"], tokens["refreshToken"])


def codes(answer: Mapping[str, Any]) -> list[str]:
    """Codes of an answer's errors."""
    return [error["extensions"]["code"] for error in answer.get("errors", ())]


def user_codes(done: Mapping[str, Any]) -> list[str]:
    """Codes of what the customer can mend."""
    return [error["code"] for error in done["userErrors"]]
