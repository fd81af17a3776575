"""What comes back, and the traps in it (docs: "zeep's traps")."""

import logging
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from bff.domain import BonusAccount, CustomerId, FavoriteList, Order, OrderId, OrderStatus, Profile
from bff.errors import BadReply, Busy, Code, Refused, SignInRefused, TooLarge, Upstream
from bff.plugins import Adapter
from tests.unit.adapters.fake_http import Answer
from tests.unit.adapters.onec_soap.asking import (
    clients,
    failure,
    favorites,
    latest_orders,
    order,
    order_failure,
    orders,
    profiles,
)
from tests.unit.adapters.onec_soap.conftest import HERE, Make
from tests.unit.adapters.onec_soap.fake_1c import SOAP_12, FakeOneC, envelope, fault, result

pytestmark = pytest.mark.anyio

ROW = "<m:Row><m:Name>Чайник</m:Name><m:Qty>1</m:Qty><m:Price>5</m:Price><m:Sum>5</m:Sum></m:Row>"


async def test_a_new_unknown_element_in_the_answer_is_ignored(server: FakeOneC, adapter: Adapter) -> None:
    server.script = [clients("c1", extra="<m:НовоеПоле><m:Имя>x</m:Имя></m:НовоеПоле>")]
    profile = (await profiles(adapter, "c1"))[CustomerId("c1")]
    assert isinstance(profile, Profile)
    assert profile.first_name == "Анна"


@pytest.mark.parametrize("rows", [0, 1, 3])
async def test_one_is_read_like_many_and_like_none(server: FakeOneC, adapter: Adapter, rows: int) -> None:
    server.script = [order(rows=f"<m:Rows>{ROW * rows}</m:Rows>")]
    found = (await orders(adapter, "o1"))[OrderId("o1")]
    assert isinstance(found, Order)
    assert len(found.lines) == rows
    assert found.status is OrderStatus.ASSEMBLING
    assert found.placed_at.isoformat() == "2026-11-21T10:42:00+05:00"


async def test_an_empty_list_is_not_an_unknown_customer(server: FakeOneC, adapter: Adapter) -> None:
    server.script = [result("Marked", "<m:List><m:Client>c1</m:Client><m:Items/></m:List>")]
    assert await favorites(adapter, "c1", "c2") == {"c1": FavoriteList(customer=CustomerId("c1"))}


async def test_a_missing_container_is_not_an_empty_list(server: FakeOneC, adapter: Adapter) -> None:
    server.script = [result("Marked", "<m:List><m:Client>c1</m:Client></m:List>")]
    found = await favorites(adapter, "c1")
    error = found[CustomerId("c1")]
    assert isinstance(error, BadReply)
    assert error.back_office == "erp"


async def test_a_byte_order_mark_is_let_pass(server: FakeOneC, adapter: Adapter) -> None:
    server.script = [Answer(b"\xef\xbb\xbf\r\n" + clients("c1").body)]
    assert set(await profiles(adapter, "c1")) == {"c1"}


async def test_nil_is_nothing(server: FakeOneC, adapter: Adapter) -> None:
    server.script = [clients("c1", extra='<m:Born xsi:nil="true"/>')]
    profile = (await profiles(adapter, "c1"))[CustomerId("c1")]
    assert isinstance(profile, Profile)
    assert profile.birth_date is None


async def test_a_required_nil_is_a_bad_reply(server: FakeOneC, adapter: Adapter) -> None:
    server.script = [Answer(order().body.replace(b"<m:Sum>10.50</m:Sum>", b'<m:Sum xsi:nil="1"/>'))]
    assert isinstance(await order_failure(adapter), BadReply)


async def test_a_decimal_comma_is_a_bad_reply_unless_the_mapping_expects_it(
    server: FakeOneC, adapter: Adapter, make: Make, tmp_path: Path
) -> None:
    server.script = [order(total="10,5"), order(total="1 010,5")]
    assert isinstance(await order_failure(adapter), BadReply)

    (tmp_path / "shop.toml").write_text("decimal_comma = true\n" + (HERE / "shop.toml").read_text("utf-8"), "utf-8")
    found = (await orders(make(tmp_path), "o1"))[OrderId("o1")]
    assert isinstance(found, Order)
    assert found.total.amount == Decimal("1010.5")


@pytest.mark.parametrize("total", ["NaN", "INF", "1e5", "десять", "", "<m:a/>"])
async def test_what_is_not_a_number_is_a_bad_reply(server: FakeOneC, adapter: Adapter, total: str) -> None:
    server.script = [order(total=total)]
    assert isinstance(await order_failure(adapter), BadReply)


async def test_a_date_at_the_end_of_time_is_a_bad_reply(server: FakeOneC, adapter: Adapter) -> None:
    server.script = [clients("c1", extra="<m:Born>9999-12-31T23:00:00-12:00</m:Born>")]
    assert isinstance((await profiles(adapter, "c1"))[CustomerId("c1")], BadReply)


async def test_a_cut_body_is_a_bad_reply_and_never_half_the_data(server: FakeOneC, adapter: Adapter) -> None:
    whole = clients("c1", "c2").body
    for at in range(10, len(whole) - 1, 97):
        server.script = [Answer(whole[:at])]
        assert isinstance(await failure(adapter), BadReply)
    server.script = [Answer(whole, cut=50)]
    assert isinstance(await failure(adapter), BadReply)


async def test_dtd_entities_and_external_files_are_refused(server: FakeOneC, adapter: Adapter, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("must not be read")
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    for doctype in (
        "<!DOCTYPE x>",
        f'<!DOCTYPE x [<!ENTITY e SYSTEM "{secret.as_uri()}">]>',
        f'<!DOCTYPE x [<!ENTITY l0 "ha">{laughs}]>',
        f'<!DOCTYPE x SYSTEM "{secret.as_uri()}">',
    ):
        body = clients("c1").body.replace("Анна".encode(), b"&e;" if "ENTITY e" in doctype else b"&l9;")
        server.script = [Answer(body.replace(b"?>", b"?>" + b" " * 5_000 + doctype.encode(), 1))]
        error = await failure(adapter)
        assert isinstance(error, BadReply)
        assert "must not be read" not in str(error)


@pytest.mark.parametrize("status", [200, 500])
async def test_a_technical_fault_is_an_upstream_error_whatever_its_status(
    server: FakeOneC, adapter: Adapter, status: int
) -> None:
    server.script = [fault("Неизвестная ошибка. {WebСервис.Shop.Модуль(25)}: Иванов Иван", status)]
    error = await failure(adapter)
    assert type(error) is Upstream
    assert "Иванов" not in str(error)


@pytest.mark.parametrize("status", [200, 400, 500])
async def test_a_business_fault_is_a_refusal_whatever_its_status(
    server: FakeOneC, adapter: Adapter, status: int
) -> None:
    server.script = [fault("по причине: КЛИЕНТ заблокирован: Иванов", status)]
    error = await failure(adapter)
    assert isinstance(error, Refused)
    assert error.public_code is Code.FORBIDDEN
    assert "Иванов" not in str(error)
    assert len(server.asked) == 1


async def test_a_soap_1_2_fault_is_told_by_its_reason(server: FakeOneC, make: Make) -> None:
    reason = '<soap:Text xml:lang="ru">Клиент заблокирован</soap:Text>'
    body = f"<soap:Fault><soap:Code/><soap:Reason>{reason}</soap:Reason></soap:Fault>"
    server.script = [Answer(envelope(body, soap=SOAP_12), 500)]
    assert isinstance(await failure(make(soap="1.2")), Refused)


@pytest.mark.parametrize("status", [200, 500])
async def test_an_exception_of_the_platform_is_an_upstream_error(
    server: FakeOneC, adapter: Adapter, status: int
) -> None:
    body = '<exception xmlns="http://v8.1c.ru/8.2/virtual-resource-system"><descr>Иванов</descr></exception>'
    server.script = [Answer(body.encode(), status)]
    error = await failure(adapter)
    assert type(error) is Upstream
    assert "Иванов" not in str(error)


async def test_a_web_servers_page_is_an_upstream_error(server: FakeOneC, adapter: Adapter) -> None:
    # Its words are not 1C's, even where they look like a refusal of the mapping.
    page = Answer("<html><br>Клиент заблокирован".encode(), 502, {"Content-Type": "text/html"})
    server.script = [page]
    assert type(await failure(adapter)) is Upstream
    server.script = [Answer(page.body)]
    assert isinstance(await failure(adapter), BadReply)


@pytest.mark.parametrize("status", [401, 403])
async def test_refused_sign_in(server: FakeOneC, adapter: Adapter, status: int) -> None:
    server.script = [Answer("Идентификация пользователя не выполнена".encode(), status)]
    assert isinstance(await failure(adapter), SignInRefused)
    assert len(server.asked) == 1


@pytest.mark.parametrize("status", [429, 503])
async def test_asked_to_slow_down(server: FakeOneC, adapter: Adapter, status: int) -> None:
    server.script = [Answer(b"", status, {"Retry-After": "7"})]
    error = await failure(adapter)
    assert isinstance(error, Busy)
    assert error.retry_after == 7


async def test_a_redirect_is_not_followed(server: FakeOneC, adapter: Adapter) -> None:
    server.script = [Answer(b"", 302, {"Location": "http://127.0.0.1:1/"})]
    assert isinstance(await failure(adapter), BadReply)
    assert len(server.asked) == 1


ONE = '<m:GetClientsResponse xmlns:m="urn:shop"><m:return/></m:GetClientsResponse>'


@pytest.mark.parametrize(
    "body",
    [
        envelope(""),
        envelope(ONE + ONE),
        envelope(ONE + '<multiRef id="id0"/>'),
        envelope(ONE.replace("GetClients", "GetOrder")),
        envelope(ONE).replace(b"soap:Body", b"soap:Head"),
        envelope(ONE, soap="urn:other"),
        ONE.encode(),
        b"{}",
        b"",
    ],
    ids=["empty Body", "two payloads", "multiRef", "other operation", "no Body", "no SOAP", "bare", "JSON", "empty"],
)
async def test_what_is_not_one_answer_is_a_bad_reply(server: FakeOneC, adapter: Adapter, body: bytes) -> None:
    server.script = [Answer(body)]
    assert isinstance(await failure(adapter), BadReply)


async def test_attachments_are_refused(server: FakeOneC, adapter: Adapter) -> None:
    server.script = [Answer(clients("c1").body, 200, {"Content-Type": "Multipart/Related; boundary=x"})]
    error = await failure(adapter)
    assert isinstance(error, BadReply)
    assert "MTOM" in str(error)


async def test_an_answer_above_the_limit(server: FakeOneC, make: Make) -> None:
    server.script = [clients(*(f"c{number}" for number in range(50)))]
    assert isinstance(await failure(make(max_reply_bytes=1_000)), TooLarge)


async def test_a_large_answer_is_read_whole(server: FakeOneC, adapter: Adapter) -> None:
    ids = [f"c{number}" for number in range(2_000)]
    server.script = [clients(*ids)]
    assert list(await profiles(adapter, "c0")) == ids


async def test_json_in_a_string(server: FakeOneC, adapter: Adapter) -> None:
    row = '{"name": "Чайник", "qty": 1, "price": 5.10, "sum": 5.10}'
    entry = f'{{"id": "o1", "no": 7, "at": "2026-11-21T10:42:00", "state": "?", "sum": 5.1, "rows": [{row}]}}'
    text = f'{{"clients": [{{"id": "c1", "orders": [{entry}]}}, {{"id": "c2", "orders": []}}]}}'
    server.script = [result("LastOrders", text)]
    found = await latest_orders(adapter, "c1", "c2")
    assert found[CustomerId("c2")] is None
    last = found[CustomerId("c1")]
    assert isinstance(last, Order)
    assert (last.customer, last.number, last.lines[0].price.amount) == ("c1", "7", Decimal("5.10"))


async def test_json_in_a_string_that_is_cut_is_a_bad_reply(server: FakeOneC, adapter: Adapter) -> None:
    server.script = [result("LastOrders", '{"clients": [')]
    with pytest.raises(BadReply):
        await latest_orders(adapter, "c1")


async def test_bonuses_and_personal_offers(server: FakeOneC, adapter: Adapter) -> None:
    lots = "<m:Lots><m:Lot><m:Amount>5</m:Amount><m:Until>2026-12-01</m:Until></m:Lot></m:Lots>"
    account = f"<m:Client>c1</m:Client><m:Active>70</m:Active><m:Waiting>3</m:Waiting>{lots}"
    offer = "<m:Offers><m:Offer><m:Id>o</m:Id><m:Title>Вам</m:Title></m:Offer></m:Offers>"
    server.script = [
        result("Points", f"<m:Account>{account}</m:Account>"),
        result("OffersFor", f"<m:Client><m:Id>c1</m:Id>{offer}</m:Client>"),
    ]
    assert adapter.bonuses is not None
    assert adapter.personal_offers is not None
    found = (await adapter.bonuses.bonus_accounts([CustomerId("c1")]))[CustomerId("c1")]
    assert isinstance(found, BonusAccount)
    assert found.pending == 3
    assert found.lots
    assert found.lots[0].expires_on == date(2026, 12, 1)
    assert set(await adapter.personal_offers.personal_offers([CustomerId("c1")])) == {"c1"}


async def test_no_secret_and_no_reply_in_logs_and_errors(
    server: FakeOneC, adapter: Adapter, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    texts = []
    for answer in (
        Answer("Иванов".encode()),
        Answer("Иванов".encode(), 401),
        Answer("Иванов".encode(), 404),
        fault("Иванов"),
        clients("c1", extra="<m:Born>Иванов</m:Born>"),
        order(total="Иванов"),
    ):
        server.script = [answer]
        try:
            texts.append(repr(await profiles(adapter, "c1")))
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not tell
            texts += [str(error), repr(error), repr(error.__cause__), repr(error.__context__)]
    texts += [record.getMessage() for record in caplog.records]
    told = "\n".join(texts)
    assert "Иванов" not in told
    assert "тайна" not in told
    assert server.asked[0].headers["authorization"].removeprefix("Basic ") not in told
