"""A 1C on a real socket: it opens sessions as the platform does, answers as a test says, and keeps what was asked."""

from collections import Counter
from dataclasses import replace

from lxml import etree

from tests.unit.adapters.fake_http import Answer, FakeOffice, Received

SOAP_11 = "http://schemas.xmlsoap.org/soap/envelope/"
SOAP_12 = "http://www.w3.org/2003/05/soap-envelope"


class Asked(Received):
    """A SOAP request."""

    __slots__ = ()

    @property
    def operation(self) -> "etree._Element":
        """The element inside Body."""
        return etree.fromstring(self.body)[0][0]

    def texts(self, name: str) -> list[str]:
        """The texts of all elements of a name in the request; none where it has no body, as at the end of a session."""
        if not self.body:
            return []
        return [element.text or "" for element in self.operation.iter(f"{{urn:shop}}{name}")]

    @property
    def session(self) -> str | None:
        """The cookie."""
        return self.headers.get("cookie")

    @property
    def wish(self) -> str | None:
        """What `IBSession` says."""
        return self.headers.get("ibsession")


def envelope(content: str, *, soap: str = SOAP_11) -> bytes:
    """A SOAP envelope with this in its Body."""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        f'<soap:Envelope xmlns:soap="{soap}"><soap:Header/><soap:Body>{content}</soap:Body></soap:Envelope>'
    ).encode()


def result(operation: str, content: str, *, soap: str = SOAP_11) -> Answer:
    """What an operation returns, as 1C writes it; prefixes m and xsi are there."""
    return Answer(
        envelope(
            f'<m:{operation}Response xmlns:m="urn:shop"><m:return '
            f'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">{content}</m:return></m:{operation}Response>',
            soap=soap,
        )
    )


def fault(text: str, status: int = 500) -> Answer:
    """A SOAP 1.1 fault."""
    body = f"<soap:Fault><faultcode>soap:Server</faultcode><faultstring>{text}</faultstring><detail/></soap:Fault>"
    return Answer(envelope(body), status)


class FakeOneC(FakeOffice[Asked]):
    """`async with FakeOneC() as server`; set `behaviour`, or queue up answers in `script`; then look at `asked`."""

    def __init__(self) -> None:
        super().__init__(Asked, lambda _: Answer(status=500), media_type="text/xml; charset=utf-8")
        self.script: list[Answer] = []
        self.most_in_a_session = 0
        self.sessions_opened = 0
        self._busy: Counter[str] = Counter()

    @property
    def address(self) -> str:
        """Where the service is."""
        return f"{super().address}/shop/ws/shop.1cws"

    async def answer(self, asked: Asked) -> Answer:
        """What it says: the script's next, or what `behaviour` gives; with a session, where one was wished for."""
        if asked.session:
            self._busy[asked.session] += 1
            self.most_in_a_session = max(self.most_in_a_session, self._busy[asked.session])
        try:
            answer = self.script.pop(0) if self.script else await super().answer(asked)
        finally:
            if asked.session:
                self._busy[asked.session] -= 1
        if asked.wish != "start" or answer.status not in {200, 500}:
            return answer
        self.sessions_opened += 1
        cookie = {"Set-Cookie": f"ibsession=s{self.sessions_opened}; path=/shop; HttpOnly"}
        return replace(answer, headers={**cookie, **answer.headers})
