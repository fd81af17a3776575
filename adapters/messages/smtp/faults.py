"""What goes wrong in a dialogue with a mail server, in our words: no text of the server's, no address."""

import ssl

import aiosmtplib

from bff.errors import BackOfficeError, BadReply, Busy, Code, Refused, SignInRefused, TimedOut, Unavailable, Upstream

EXPECTED = (aiosmtplib.SMTPException, OSError, ValueError, RuntimeError)
"""What the client library raises; the last two where a server's line makes no sense to it."""

_SIGN_IN_CODES = frozenset({530, 534, 535, 538})
"""RFC 4954: authentication is needed, or failed, whichever command is answered so."""


def fault(error: Exception, where: str) -> BackOfficeError:
    """Convert one of `EXPECTED`."""
    match error:
        case aiosmtplib.SMTPConnectTimeoutError():
            return Unavailable("no connection, or no greeting, in time", back_office=where)
        case TimeoutError():
            return TimedOut("the dialogue was not over in time", back_office=where)
        case aiosmtplib.SMTPRecipientsRefused(recipients=[first, *_]):
            return _of_reply(first, where)
        case aiosmtplib.SMTPResponseException():
            return _of_reply(error, where)
        case OSError():
            return Unavailable(f"no connection ({_kind(error)})", back_office=where)
    return BadReply(f"it does not speak SMTP ({type(error).__name__})", back_office=where)


def _of_reply(error: aiosmtplib.SMTPResponseException, where: str) -> BackOfficeError:
    code = error.code
    if code in _SIGN_IN_CODES or (code >= 500 and isinstance(error, aiosmtplib.SMTPAuthenticationError)):
        return SignInRefused(f"SMTP {code}: our credentials were refused", back_office=where)
    if 400 <= code < 500:
        return Busy(f"SMTP {code}: not now", back_office=where)
    if not 500 <= code < 600:
        return BadReply(f"it does not speak SMTP (reply {code})", back_office=where)
    match error:
        case aiosmtplib.SMTPRecipientRefused():
            return Refused(f"SMTP {code}: the recipient was refused", refusal=Code.BAD_USER_INPUT, back_office=where)
        case aiosmtplib.SMTPSenderRefused():
            return SignInRefused(f"SMTP {code}: this user may not send from `from_address`", back_office=where)
    return Upstream(f"SMTP {code}", back_office=where)


def _kind(error: Exception) -> str:
    """What happened below SMTP."""
    below = error.__cause__ if isinstance(error, aiosmtplib.SMTPConnectError) else error
    match below:
        case aiosmtplib.SMTPServerDisconnected():
            return "it was closed by the server"
        case ssl.SSLCertVerificationError():
            return "its certificate is not trusted, or is another host's"
        case ssl.SSLError():
            return "TLS failed; do `security` and the port belong together?"
    return type(below or error).__name__
