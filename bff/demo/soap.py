"""SOAP envelopes, 1.1 and 1.2, as 1C:Enterprise reads and writes them."""

from dataclasses import dataclass
from enum import Enum
from html import escape

from lxml import etree
from starlette.responses import Response

NAMESPACE = "http://shop.example/cabinet"
SERVICE = "ЛичныйКабинет"

_NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"


class Version(Enum):
    """A version of SOAP: the namespace of its envelope and the media type of its messages."""

    V11 = ("http://schemas.xmlsoap.org/soap/envelope/", "text/xml")
    V12 = ("http://www.w3.org/2003/05/soap-envelope", "application/soap+xml")

    @property
    def namespace(self) -> str:
        """Namespace of the envelope."""
        return self.value[0]

    @property
    def media_type(self) -> str:
        """Media type without parameters."""
        return self.value[1]


@dataclass(frozen=True, slots=True)
class Call:
    """A request: the operation and its parameters by name."""

    version: Version
    operation: str
    parameters: dict[str, etree._Element]

    def ids(self, parameter: str) -> list[str]:
        """Return the texts of a parameter of type ``СписокИдентификаторов``, in order, each once."""
        return self.texts(parameter, "Ид")

    def texts(self, parameter: str, item: str) -> list[str]:
        """Return the texts of a parameter that is a list of such items, in order, each once."""
        found = (child.text or "" for child in self._parameter(parameter).iterchildren(f"{{{NAMESPACE}}}{item}"))
        return list(dict.fromkeys(found))

    def text(self, parameter: str) -> str | None:
        """Return the value of a parameter of type ``xs:string``, None for nil."""
        element = self._parameter(parameter)
        return None if element.get(_NIL) in {"true", "1"} else element.text or ""

    def integer(self, parameter: str) -> int:
        """Return the value of a parameter of type ``xs:int``."""
        text = (self._parameter(parameter).text or "").strip()
        try:
            return int(text)
        except ValueError:
            raise BadCall(
                f"Ошибка преобразования данных XDTO: свойство {parameter}: значение не соответствует типу xs:int",
                self.version,
            ) from None

    def _parameter(self, name: str) -> etree._Element:
        try:
            return self.parameters[name]
        except KeyError:
            raise BadCall(
                f"Ошибка преобразования данных XDTO: не найдено обязательное свойство {name} "
                f"типа {{{NAMESPACE}}}{self.operation}",
                self.version,
            ) from None


class BadCall(Exception):
    """The request cannot be understood; the text (Russian) is for the fault's reason."""

    def __init__(self, reason: str, version: Version = Version.V11) -> None:
        super().__init__(reason)
        self.reason = reason
        self.version = version


def read(body: bytes) -> Call:
    """Read a request, or raise BadCall."""
    # A parser a call: they keep state, and calls come side by side.
    parser = etree.XMLParser(
        resolve_entities=False, load_dtd=False, no_network=True, remove_comments=True, remove_pis=True
    )
    try:
        envelope = etree.fromstring(body, parser)
    except etree.XMLSyntaxError:
        raise BadCall("Ошибка разбора XML: документ не является правильно построенным") from None
    if envelope.getroottree().docinfo.doctype:
        raise BadCall("Ошибка разбора XML: объявление типа документа не допускается")
    version = next((one for one in Version if envelope.tag == f"{{{one.namespace}}}Envelope"), None)
    if version is None:
        raise BadCall("Неверный формат сообщения SOAP: ожидался элемент Envelope")
    soap_body = envelope.find(f"{{{version.namespace}}}Body")
    if soap_body is None or len(soap_body) != 1:
        raise BadCall("Неверный формат сообщения SOAP: ожидался элемент Body с одной операцией", version)
    wrapper = etree.QName(soap_body[0])
    if wrapper.namespace != NAMESPACE:
        raise BadCall(f"Неизвестное пространство имен: {wrapper.namespace}", version)
    # The schema is "qualified": a parameter outside the namespace is none of ours.
    qualified = soap_body[0].iterchildren(f"{{{NAMESPACE}}}*")
    parameters = {etree.QName(child).localname: child for child in qualified}
    return Call(version, wrapper.localname, parameters)


def answer(version: Version, operation: str, content: str) -> Response:
    """Return the answer to a call; `content` is XML that stands in ``return``, with the prefixes m, xs and xsi."""
    return _message(
        version,
        200,
        f'<m:{operation}Response xmlns:m="{NAMESPACE}">'
        '<m:return xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
        f"{content}</m:return></m:{operation}Response>",
    )


def fault(version: Version, reason: str, *, is_client: bool = False) -> Response:
    """Return a fault (status 500, as 1C sends it); `is_client`: the request is to blame."""
    if version is Version.V11:
        code = "Client" if is_client else "Server"
        content = f"<faultcode>soap:{code}</faultcode><faultstring>{escape(reason)}</faultstring><detail/>"
    else:
        code = "Sender" if is_client else "Receiver"
        content = (
            f"<soap:Code><soap:Value>soap:{code}</soap:Value></soap:Code>"
            f'<soap:Reason><soap:Text xml:lang="ru">{escape(reason)}</soap:Text></soap:Reason><soap:Detail/>'
        )
    return _message(version, 500, f"<soap:Fault>{content}</soap:Fault>")


def version_of(content_type: str) -> Version:
    """Return the version that a request's Content-Type announces."""
    return Version.V12 if content_type.startswith(Version.V12.media_type) else Version.V11


def _message(version: Version, status: int, content: str) -> Response:
    envelope = (
        f'<soap:Envelope xmlns:soap="{version.namespace}"><soap:Header/>'
        f"<soap:Body>{content}</soap:Body></soap:Envelope>"
    )
    return Response(envelope, status, media_type=f"{version.media_type}; charset=utf-8")
