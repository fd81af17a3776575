"""
What an answer is: the element that holds it, or which error.

Status and content decide together: 1C sends faults with 500 and now and then with 200, the web server in front of it
sends pages, and the platform sends `exception` documents. Nothing of an answer's text gets into an error.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from bff.errors import BackOfficeError, BadReply, Busy, Code, Refused, Upstream
from bff.http import HttpReply
from bff.mapping import parse_xml

_ENVELOPES = frozenset({"http://schemas.xmlsoap.org/soap/envelope/", "http://www.w3.org/2003/05/soap-envelope"})
_PLATFORM = "http://v8.1c.ru/8.2/virtual-resource-system"

SESSION_FAULTS = (
    "Сеанс отсутствует или удален",
    "Сеанс работы завершен администратором",
)
"""Parts of 1C's own texts that mean: the session is gone. A mapping adds its own as `session_faults`."""


class SessionLost(Exception):
    """
    There is no session, or no longer: a new one may help. `meaning` is the error where it has not helped.

    `nothing_done` where 1C turned the call away before it began; a session may also end in the middle of one.
    """

    def __init__(self, meaning: BackOfficeError, *, nothing_done: bool = False) -> None:
        super().__init__(str(meaning))
        self.meaning = meaning
        self.nothing_done = nothing_done


@dataclass(frozen=True, slots=True)
class Answers:
    """Judges the answers of one service."""

    session_faults: Sequence[str]
    refusals: Sequence[tuple[str, Code]]
    """Business refusals, by a part of the fault's text."""

    def payload(self, reply: HttpReply, expected: str) -> Element:
        """
        The element that holds the answer, of the local name `expected`.

        Raises `SessionLost`, or what the answer means: `SignInRefused`, `Busy`, `Refused`, `Upstream`, `BadReply`.
        """
        if reply.status in {401, 403, 429, 503} or 300 <= reply.status < 400:
            reply.refuse_errors()
        if reply.status == 406:
            raise SessionLost(
                Busy("HTTP 406: 1C has no session to spare", retry_after=reply.retry_after), nothing_done=True
            )
        if not 200 <= reply.status < 300:
            raise self._failure_of_status(reply)
        if reply.headers.get("content-type", "").strip().lower().startswith("multipart/"):
            raise BadReply("the answer has attachments (MTOM), which are not supported")
        root = parse_xml(reply.body)
        if _is_exception(root):
            raise self._failure(_texts(root), "1C answered with an exception of the platform")
        payload = _sole_payload(root)
        if _is_fault(payload):
            raise self._failure(_texts(payload), "a SOAP fault with HTTP 200")
        if _name(payload)[1] != expected:
            raise BadReply(f"the answer is not a {expected}")
        return payload

    def _failure_of_status(self, reply: HttpReply) -> Exception:
        """What a status means together with a body that may be a fault, a page of a web server, or anything."""
        what = f"HTTP {reply.status}"
        failure: Exception
        try:
            root = parse_xml(reply.body)
            element = root if _is_exception(root) else _sole_payload(root)
        except BadReply:
            # The words of a business refusal may stand by chance in a web server's page; 1C's on sessions do not.
            text = reply.body.decode(errors="replace")
            lost = self._is_session_fault(_folded(text))
            failure = SessionLost(Upstream(f"{what}: the session is lost again")) if lost else Upstream(what)
        else:
            kind = "a SOAP fault" if _is_fault(element) else "an error document"
            failure = self._failure(_texts(element), f"{what} with {kind}")
        if reply.status == 400 and isinstance(failure, Upstream):
            failure = SessionLost(failure)
        if isinstance(failure, SessionLost):
            failure.nothing_done = reply.status == 400
        return failure

    def _failure(self, text: str, what: str) -> Exception:
        text = _folded(text)
        if self._is_session_fault(text):
            return SessionLost(Upstream(f"{what}: the session is lost again"))
        for part, code in self.refusals:
            if _folded(part) in text:
                return Refused(f"{what} that the mapping takes for a refusal", refusal=code)
        return Upstream(what)

    def _is_session_fault(self, folded_text: str) -> bool:
        return any(_folded(part) in folded_text for part in self.session_faults)


def _name(element: Element) -> tuple[str, str]:
    """Its namespace and its local name."""
    namespace, _, local_name = element.tag.rpartition("}")
    return namespace[1:], local_name


def _sole_payload(root: Element) -> Element:
    namespace, local_name = _name(root)
    if local_name != "Envelope" or namespace not in _ENVELOPES:
        raise BadReply("the answer is not a SOAP envelope")
    bodies = root.findall(f"{{{namespace}}}Body")
    if len(bodies) != 1:
        raise BadReply("the answer's envelope has not exactly one Body")
    payloads = list(bodies[0])
    if any(_name(element)[1] == "multiRef" for element in payloads):
        raise BadReply("the answer is rpc/encoded (multiRef), which is not supported")
    if len(payloads) != 1:
        raise BadReply(f"the answer's Body holds {len(payloads)} elements, not one")
    return payloads[0]


def _is_fault(element: Element) -> bool:
    namespace, local_name = _name(element)
    return local_name == "Fault" and namespace in _ENVELOPES


def _is_exception(element: Element) -> bool:
    return element.tag == f"{{{_PLATFORM}}}exception"


def _texts(element: Element) -> str:
    """Every text and attribute inside, to look for known words in; never shown."""
    parts: list[str] = []
    for each in element.iter():
        parts += each.attrib.values()
        parts += [each.text or "", each.tail or ""]
    return "\n".join(parts)


def _folded(text: str) -> str:
    # 1C writes "завершен", people who copy it into a mapping write "завершён".
    return text.casefold().replace("ё", "е")
