"""Redis addresses: the accepted forms, and errors that repeat nothing of what was written."""

from typing import Any

import pytest

from bff.sources.redis_url import BadRedisUrl, RedisClient, open_client


def settings(client: RedisClient) -> dict[str, Any]:
    """What the client's connections are made with."""
    redis: Any = client.redis
    return dict(redis.get_connection_kwargs())


@pytest.mark.parametrize(
    ("url", "address", "expected"),
    [
        ("redis://localhost", "redis://localhost:6379", {"host": "localhost", "port": 6379, "db": 0}),
        ("redis://cache.shop:7000/3", "redis://cache.shop:7000", {"host": "cache.shop", "port": 7000, "db": 3}),
        ("redis://[::1]:7000?db=4", "redis://[::1]:7000", {"host": "::1", "port": 7000, "db": 4}),
        ("redis://:p%40ss@h/", "redis://h:6379", {"username": None, "password": "p@ss"}),
        ("redis://u%3A:p%2Fw@h", "redis://h:6379", {"username": "u:", "password": "p/w"}),
        ("rediss://u:p@h", "rediss://h:6379", {"ssl_cert_reqs": "required", "ssl_check_hostname": True}),
        (
            "rediss://h?ssl_ca_certs=/etc/ca.pem&ssl_check_hostname=false",
            "rediss://h:6379",
            {"ssl_ca_certs": "/etc/ca.pem", "ssl_check_hostname": False},
        ),
        ("unix:///run/redis.sock", "unix:///run/redis.sock", {"path": "/run/redis.sock", "db": 0}),
        ("unix://u:p@/run/r%20s?db=2", "unix:///run/r s", {"path": "/run/r s", "db": 2, "password": "p"}),
        ("redis+sentinel://u:p@a,b:7/shop/2", "redis+sentinel://a:26379,b:7/shop", {"db": 2, "password": "p"}),
        ("rediss+sentinel://a/shop", "rediss+sentinel://a:26379/shop", {"db": 0, "ssl_cert_reqs": "required"}),
        ("redis+cluster://u:p@a:7,b", "redis+cluster://a:7,b:6379", {"username": "u", "password": "p"}),
        ("rediss+cluster://a/?ssl_certfile=c", "rediss+cluster://a:6379", {"ssl_certfile": "c"}),
    ],
)
def test_accepted_forms(url: str, address: str, expected: dict[str, Any]) -> None:
    client = open_client(url, connections=7)
    made_with = settings(client)
    assert client.address == address
    assert {name: made_with.get(name) for name in expected} == expected
    assert (client.connections, made_with["protocol"], made_with["socket_timeout"]) == (7, 2, None)
    assert client.clustered == ("cluster" in url)


def test_sentinels_may_want_a_password_of_their_own() -> None:
    client = open_client("rediss+sentinel://u:p@a/shop?sentinel_username=su&sentinel_password=sp&ssl_ca_certs=ca")
    sentinel: Any = client.sentinel
    (asked,) = (each.get_connection_kwargs() for each in sentinel.sentinels)
    assert (asked["username"], asked["password"], asked["ssl_ca_certs"]) == ("su", "sp", "ca")
    assert (settings(client)["username"], settings(client)["password"]) == ("u", "p")


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("", "not a Redis address"),
        ("s3cret", "not a Redis address"),
        ("http://:s3cret@h", "not a Redis address"),
        ("redis://:s3cret/@h", "host is not"),
        ("redis://:s3cret@more@h", "special characters percent-encoded"),
        ("redis://:s3cret#@h", "special characters percent-encoded"),
        ("redis://user:s3cret", "port is a number"),
        ("redis://:s3cret@h:0", "port is a number"),
        ("redis://:s3cret@h:65536", "port is a number"),
        ("redis://", "host is not"),
        ("redis+cluster://a,,b", "host is not"),
        ("redis://a,b", "several hosts"),
        ("redis://h/s3cret", "database is one number"),
        ("redis://h/1/2", "database is one number"),
        ("redis://h/1?db=2", "database is one number"),
        ("redis://h?db=", "database is one number"),
        ("redis://h?decode_responses=s3cret", "for this form there are: db"),
        ("redis://h?ssl_ca_certs=s3cret", "for this form there are: db"),
        ("rediss://h?ssl_check_hostname=s3cret", "true or false"),
        ("redis+sentinel://h", "service is missing"),
        ("redis+sentinel://h/shop/s3cret", "database is one number"),
        ("redis+cluster://h/1", "no databases"),
        ("redis+cluster://h?db=1", "no databases"),
        ("unix://run/redis.sock", "three slashes"),
        ("unix://", "three slashes"),
        ("unix+cluster:///s3cret", "not a Redis address"),
    ],
)
def test_bad_addresses_are_refused_and_not_repeated(url: str, says: str) -> None:
    with pytest.raises(BadRedisUrl, match=says) as caught:
        open_client(url)
    assert "s3cret" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
