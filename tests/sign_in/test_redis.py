"""Signing in where the state is in a Redis that several machines share."""

from collections.abc import Iterator

import pytest

from bff.identity.store.redis_store import RedisStore
from tests.sign_in.conftest import OpenShop
from tests.sign_in.customer import SIGN_OUT, codes, user_codes
from tests.sign_in.shop import ANNA, stranger
from tests.sources.conftest import be_patient
from tests.sources.redis_server import RedisServer


@pytest.fixture
def redis(monkeypatch: pytest.MonkeyPatch) -> Iterator[RedisServer]:
    be_patient(monkeypatch)
    with RedisServer(maxmemory_policy="noeviction") as server:
        yield server


def test_a_day_of_customers_over_redis(new_shop: OpenShop, redis: RedisServer) -> None:
    """Two services on one Redis: what one of them began goes on at the other."""
    store = {"redis_url": redis.url}
    here, there = new_shop(store=store), new_shop(store=store)
    anna = here.customer(ANNA)
    code = anna.code()
    anna.address = there.address
    assert anna.enter(code)["signedIn"]
    anna.address = here.address
    assert user_codes(anna.enter(code)) == ["REFUSED"]
    assert anna.profile() is not None
    anna.refresh()
    anna.address = there.address
    assert anna.profile() is not None
    assert anna.do(SIGN_OUT)["signedOut"]
    anna.address = here.address
    assert anna.post(SIGN_OUT).status_code == 401
    assert codes(anna.refresh()) == ["UNAUTHENTICATED"]

    boris = here.customer(stranger())
    ticket = boris.ticket()
    boris.address = there.address
    assert boris.register(ticket, "Борис", mode="COOKIE")["signedIn"]
    boris.address = here.address
    assert boris.profile() is not None

    stored = b"".join(each + (redis.admin.dump(each) or b"") for each in redis.admin.scan_iter())
    assert stored.startswith(b"kabinet:shop:id:")
    for secret in (code, *anna.contact.values(), *boris.contact.values(), boris.cookie or "", "Борис"):
        assert secret.encode() not in stored


def test_a_redis_that_is_away_signs_nobody_out(new_shop: OpenShop, redis: RedisServer) -> None:
    shop = new_shop(store={"redis_url": redis.url})
    anna = shop.customer(ANNA).sign_in()
    store = shop.cabinet.door.store
    assert isinstance(store, RedisStore)
    patience, store._limit = store._limit, 1.0
    redis.stop()
    reply = anna.post(SIGN_OUT)
    assert (reply.status_code, codes(reply.json())) == (503, ["UNAVAILABLE"])
    answer = shop.customer(stranger()).ask("{ shop { name } }")
    assert "errors" not in answer
    store._limit = patience
    redis.cont()
    assert anna.profile() is not None
