"""What is sent: one message with one recipient, in which nothing that comes from outside can be taken for a header."""

import re
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_MAILBOX = re.compile(rf"(?P<user>{_ATOM}(?:\.{_ATOM})*)@(?P<domain>{_LABEL}(?:\.{_LABEL})*)", re.ASCII)
_LONGEST_USER = 64
_LONGEST = 254


def mailbox(address: str) -> Address | None:
    """
    Take an address apart; None for one that is not written to.

    RFC 5321 allows more (quoted names, address literals, UTF-8 where both sides can) than mailboxes of customers
    have; what it allows beyond this is where one address is read as two.
    """
    found = _MAILBOX.fullmatch(address)
    if found is None or len(address) > _LONGEST or len(found["user"]) > _LONGEST_USER:
        return None
    return Address(username=found["user"], domain=found["domain"])


def compose(sender: Address, recipient: Address, subject: str, text: str, now: datetime) -> bytes:
    """Make the message, ready for DATA. `now` has a zone."""
    message = EmailMessage(policy=SMTP)
    message["From"] = sender
    message["To"] = recipient
    message["Subject"] = subject
    message["Date"] = format_datetime(now)
    message["Message-ID"] = make_msgid(domain=sender.domain)
    # RFC 3834: nobody's holiday notice answers it.
    message["Auto-Submitted"] = "auto-generated"
    # base64 passes every server: 8 bits need an extension, and quoted Cyrillic is three times as long.
    message.set_content(text, charset="utf-8", cte="base64")
    return message.as_bytes()
