"""Who has a contact, and a new customer: what goes out, what is believed, and what is never sent twice."""

import asyncio
from pathlib import Path

import pytest
from lxml import etree

from bff.domain import Contact, ContactKind, CustomerId, Registration
from bff.errors import (
    BackOfficeError,
    BadReply,
    BadUserInput,
    Busy,
    Code,
    IntegrityViolation,
    Refused,
    TimedOut,
    Unavailable,
    Upstream,
)
from bff.plugins import Adapter
from bff.ports import Batch, Customers
from tests.unit.adapters.fake_http import Answer
from tests.unit.adapters.onec_soap.conftest import HERE, Make
from tests.unit.adapters.onec_soap.fake_1c import Asked, FakeOneC, fault, result

pytestmark = pytest.mark.anyio

PHONE = "+79161234567"
OTHER = "+79161234568"
PLAIN = {"Content-Type": "text/plain; charset=utf-8"}


def contact(value: str) -> Contact:
    return Contact(ContactKind.EMAIL if "@" in value else ContactKind.PHONE, value)


def port(adapter: Adapter) -> Customers:
    assert adapter.customers is not None
    return adapter.customers


async def find(adapter: Adapter, *values: str) -> Batch[Contact, CustomerId]:
    return await port(adapter).find([contact(value) for value in values])


async def register(adapter: Adapter, value: str = PHONE, first: str = "Анна", last: str | None = None) -> CustomerId:
    return await port(adapter).register(Registration(contact(value), first, last))


async def failure(adapter: Adapter) -> BackOfficeError:
    with pytest.raises(BackOfficeError) as caught:
        await register(adapter)
    assert caught.value.back_office == "erp"
    assert PHONE not in repr(caught.value)
    return caught.value


def records(*pairs: tuple[str, str]) -> str:
    return "".join(f'<m:Found id="{owner}"><m:Contact>{value}</m:Contact></m:Found>' for value, owner in pairs)


def found(*pairs: tuple[str, str]) -> Answer:
    return result("WhoHas", records(*pairs))


def made(*pairs: tuple[str, str], state: str = "ok") -> Answer:
    return result("NewClient", f"<m:State>{state}</m:State>{records(*pairs)}")


async def test_many_contacts_are_one_call(server: FakeOneC, adapter: Adapter) -> None:
    server.script = [found((OTHER, "c2"), ("Anna@shop.example", "c1"))]
    answer = await find(adapter, PHONE, OTHER, "Anna@shop.example", PHONE)
    assert answer == {contact(OTHER): "c2", contact("Anna@shop.example"): "c1"}
    assert [asked.texts("Id") for asked in server.asked] == [[PHONE, OTHER, "Anna@shop.example"]]


async def test_letters_of_an_address_match_in_any_case(server: FakeOneC, adapter: Adapter) -> None:
    server.script = [found(("ANNA@SHOP.EXAMPLE", "c1"))]
    answer = await find(adapter, "Anna@shop.example", "anna@shop.example")
    assert set(answer.values()) == {"c1"}
    assert len(answer) == 2


@pytest.mark.parametrize("stranger", [OTHER, "79161234567", "+7916123456", "anna@shop.example"])
async def test_an_answer_about_a_contact_that_was_not_asked_for_is_refused_whole(
    server: FakeOneC, adapter: Adapter, stranger: str
) -> None:
    server.script = [found((PHONE, "c1"), (stranger, "c2"))]
    with pytest.raises(IntegrityViolation) as caught:
        await find(adapter, PHONE)
    assert caught.value.back_office == "erp"
    assert stranger not in str(caught.value)


async def test_a_contact_of_another_call_is_refused_too(server: FakeOneC, make: Make) -> None:
    server.behaviour = lambda _: found((PHONE, "c1"))
    with pytest.raises(IntegrityViolation):
        await find(make(batch=1), PHONE, OTHER)


async def test_a_contact_that_two_have_is_nobodys(server: FakeOneC, adapter: Adapter) -> None:
    server.script = [
        found((PHONE, "c1"), (OTHER, "c3"), (PHONE, "c2")),
        found(("a@b.example", "c1"), ("A@b.example", "c2")),
        found((PHONE, "c1"), (PHONE, "c1")),
    ]
    answer = await find(adapter, PHONE, OTHER)
    error = answer[contact(PHONE)]
    assert isinstance(error, BadReply)
    assert error.back_office == "erp"
    assert "c1" not in str(error)
    assert answer[contact(OTHER)] == "c3"
    assert isinstance((await find(adapter, "a@b.example"))[contact("a@b.example")], BadReply)
    assert await find(adapter, PHONE) == {contact(PHONE): "c1"}


@pytest.mark.parametrize(
    "record", ["<m:Found id='c1'/>", "<m:Found id='c1'><m:Contact> </m:Contact></m:Found>"], ids=["absent", "empty"]
)
async def test_a_record_that_names_no_contact_spoils_the_answer(
    server: FakeOneC, adapter: Adapter, record: str
) -> None:
    server.script = [result("WhoHas", record)]
    with pytest.raises(BadReply, match="find"):
        await find(adapter, PHONE)


async def test_a_record_without_an_id_is_an_error_and_not_an_id(server: FakeOneC, adapter: Adapter) -> None:
    server.script = [result("WhoHas", f"<m:Found><m:Contact>{PHONE}</m:Contact></m:Found>")]
    assert isinstance((await find(adapter, PHONE))[contact(PHONE)], BadReply)


async def test_a_registration_goes_where_the_mapping_says(server: FakeOneC, adapter: Adapter) -> None:
    server.script = [made((PHONE, "c9"))]
    assert await register(adapter, PHONE, " Анна ", "О'Нил & Ко") == "c9"
    (asked,) = server.asked
    assert asked.operation.tag == "{urn:shop}NewClient"
    assert (asked.texts("Contact"), asked.texts("First"), asked.texts("Last")) == ([PHONE], ["Анна"], ["О'Нил & Ко"])
    assert asked.texts("Source") == ["кабинет"]


async def test_no_last_name_is_left_out_where_the_wsdl_lets_it(server: FakeOneC, adapter: Adapter) -> None:
    server.script = [made((PHONE, "c9")), made((PHONE, "c9"))]
    for last in (None, "  "):
        await register(adapter, last=last)
    assert [asked.texts("Last") for asked in server.asked] == [[], []]
    assert [asked.texts("First") for asked in server.asked] == [["Анна"], ["Анна"]]


@pytest.mark.parametrize(("place", "nil"), [("Middle", "true"), ("Alias", None)], ids=["nil", "empty"])
async def test_no_last_name_is_nil_or_empty_where_it_must_stand(
    server: FakeOneC, make: Make, tmp_path: Path, place: str, nil: str | None
) -> None:
    server.script = [made((PHONE, "c9"))]
    await register(make(mapping=_mapped_to(tmp_path, place)))
    (element,) = server.asked[0].operation.iter(f"{{urn:shop}}{place}")
    assert element.text is None
    assert element.get("{http://www.w3.org/2001/XMLSchema-instance}nil") == nil


def _mapped_to(folder: Path, place: str) -> str:
    text = (HERE / "shop.toml").read_text("utf-8")
    text = text.replace(f', "Client/{place}" = ""', "").replace("Client/Last", f"Client/{place}")
    file = folder / "shop.toml"
    file.write_text(text, "utf-8")
    return str(file)


@pytest.mark.parametrize("name", ["]]></x><y>", "<Ид>&amp;", "' OR 1=1 --", "{contact}", "kabinet:argument:contact"])
async def test_markup_in_a_name_stays_a_name(server: FakeOneC, adapter: Adapter, name: str) -> None:
    server.script = [made((PHONE, "c9"))]
    assert await register(adapter, PHONE, name, name) == "c9"
    (asked,) = server.asked
    assert (asked.texts("Contact"), asked.texts("First"), asked.texts("Last")) == ([PHONE], [name], [name])
    assert [etree.QName(child).localname for child in asked.operation[0]] == [
        "Contact", "First", "Last", "Middle", "Alias", "Source"
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["", " ", "\x00", "a\nb", "\ud800", "\ufffe", "\u202eаннА", "Ж" * 5_000])
async def test_a_name_that_cannot_be_one_is_refused_before_anything_is_sent(
    server: FakeOneC, adapter: Adapter, name: str
) -> None:
    with pytest.raises(BadUserInput, match=r"^first_name: "):
        await register(adapter, first=name)
    if name.strip():
        with pytest.raises(BadUserInput, match=r"^last_name: ") as caught:
            await register(adapter, last=name)
        assert name not in str(caught.value)
    assert server.asked == []


@pytest.mark.parametrize("answer", [made((OTHER, "c9")), made((PHONE, "c9"), (OTHER, "c8"))])
async def test_the_answer_to_a_registration_names_its_contact(
    server: FakeOneC, adapter: Adapter, answer: Answer
) -> None:
    server.script = [answer]
    assert isinstance(await failure(adapter), IntegrityViolation)


@pytest.mark.parametrize("answer", [made(), made((PHONE, "")), made((PHONE, "c8"), (PHONE, "c9"))])
async def test_an_answer_that_names_no_customer_registers_nobody(
    server: FakeOneC, adapter: Adapter, answer: Answer
) -> None:
    server.script = [answer]
    assert isinstance(await failure(adapter), BadReply)


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (made(state="minor"), Code.FORBIDDEN),
        (fault("Клиент заблокирован"), Code.FORBIDDEN),
        (made(state="?"), Code.UPSTREAM),
        (fault("Конфликт блокировок"), Code.UPSTREAM),
    ],
)
async def test_refusals_are_told_from_breakdowns(
    server: FakeOneC, adapter: Adapter, answer: Answer, code: Code
) -> None:
    server.script = [answer]
    error = await failure(adapter)
    assert isinstance(error, Refused) == (code is Code.FORBIDDEN)
    assert error.public_code is code
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    "refused",
    [
        Answer("Сеанс отсутствует или удален".encode(), 400, PLAIN),
        Answer("Нет сеансов".encode(), 406, PLAIN),
    ],
    ids=["400", "406"],
)
async def test_a_call_that_1c_turned_away_at_the_door_is_made_again(
    server: FakeOneC, adapter: Adapter, refused: Answer
) -> None:
    server.script = [refused, made((PHONE, "c9"))]
    assert await register(adapter) == "c9"
    assert [asked.wish for asked in server.asked] == ["start", "start"]
    server.script = [refused, refused]
    assert isinstance(await failure(adapter), Busy if refused.status == 406 else Upstream)


@pytest.mark.parametrize(
    "lost",
    [
        fault("Сеанс работы завершен администратором"),
        fault("Сеанс работы завершен администратором", 200),
        fault("Лицензия отозвана"),
        Answer("Сеанс отсутствует или удален".encode(), 500, PLAIN),
    ],
    ids=["fault", "fault with 200", "the mapping's own", "plain 500"],
)
async def test_a_session_that_may_have_ended_in_the_middle_is_not_written_in_again(
    server: FakeOneC, adapter: Adapter, lost: Answer
) -> None:
    server.script = [lost, made((PHONE, "c9"))]
    assert isinstance(await failure(adapter), Upstream)
    assert len(server.asked) == 1
    assert await register(adapter) == "c9"
    assert [(asked.wish, asked.session) for asked in server.asked] == [("start", None), ("start", None)]


async def test_a_connection_lost_after_sending_is_not_tried_again(server: FakeOneC, adapter: Adapter) -> None:
    def hang_up(_: Asked) -> Answer:
        raise ConnectionResetError

    server.behaviour = hang_up
    assert isinstance(await failure(adapter), Unavailable)
    assert len(server.asked) == 1


async def test_a_write_has_a_time_of_its_own(server: FakeOneC, make: Make) -> None:
    async def slowly(asked: Asked) -> Answer:
        await asyncio.sleep(0.2)
        return made((PHONE, "c9")) if asked.texts("First") else found()

    server.behaviour = slowly
    adapter = make(timeout_ms=50)
    assert await register(adapter) == "c9"
    with pytest.raises(TimedOut):
        await find(adapter, PHONE)
    with pytest.raises(TimedOut):
        await register(make(write_timeout_ms=50))
