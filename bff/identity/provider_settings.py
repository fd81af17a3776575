"""Settings of an identity provider that customers may sign in with: `[providers.<name>]`."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from bff.plugins import CertificatesFile, Name, Secret, address_fault

Scope = Annotated[str, StringConstraints(pattern=r"^[\x21\x23-\x5B\x5D-\x7E]{1,100}$")]
"""RFC 6749 (3.3)."""

ClientAuth = Literal["auto", "client_secret_basic", "client_secret_post"]

ContactClaim = Literal["phone_number", "email"]


class ProviderSettings(BaseModel):
    """One OpenID provider."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    issuer: str
    """Its address, exactly as its own OpenID configuration has it."""
    client_id: Name
    client_secret: Secret
    client_auth: ClientAuth = "auto"
    """How the secret is sent: as a header or in the body; by itself, the header, unless only the body is taken."""
    scopes: tuple[Scope, ...] = ("openid", "phone", "email")
    customer_claim: str | None = Field(default=None, min_length=1)
    """The claim that holds the customer's id, where the provider knows it; then contacts are not asked for."""
    contact_claims: tuple[ContactClaim, ...] = Field(default=("phone_number", "email"), min_length=1)
    """By what the customer is found; only one that the provider has verified counts, the first of them first."""
    refresh_seconds: int = Field(default=3_600, ge=60, le=86_400)
    """How old what the provider publishes may be before it is fetched anew."""
    leeway_seconds: int = Field(default=5, ge=0, le=300)
    ca_file: CertificatesFile | None = None
    """Authorities to trust instead of the system's, PEM."""
    allow_plain_http: bool = False
    """Let an address outside this machine go without TLS: only on a network that you trust."""

    @model_validator(mode="after")
    def _is_a_provider(self) -> Self:
        if fault := address_fault(self.issuer, allow_plain_http=self.allow_plain_http):
            raise ValueError(f"issuer: {fault}")
        if "openid" not in self.scopes:
            raise ValueError('scopes: "openid" is missing; without it the provider does not say who signed in')
        return self
