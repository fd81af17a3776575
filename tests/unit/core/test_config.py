"""Settings: which source wins, every fault at once, and no secret in anything that prints."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bff.config import IdentitySettings, LoadedSettings, SettingsError, flatten, load_settings, read_settings

SECRET = "sec-ret-" * 4
MINIMAL = f"""
[identity]
issuer = "https://shop.example.test"
audience = "cabinet"
secret = "{SECRET}"

[back_offices.erp]
adapter = "rest"
password = "sec-ret-password"
"""

Write = Callable[[str | bytes], Path]


def identity_of(loaded: LoadedSettings) -> IdentitySettings:
    assert loaded.settings.identity is not None
    return loaded.settings.identity


@pytest.fixture(autouse=True)
def _no_settings_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.upper().startswith("KABINET__"):
            monkeypatch.delenv(name)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def make(text: str | bytes) -> Path:
        file = tmp_path / "kabinet.toml"
        file.write_bytes(text.encode() if isinstance(text, str) else text)
        return file

    return make


def faults(config: Path | None, **more: Any) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load_settings(config, **more)
    assert "sec-ret" not in str(caught.value)
    return caught.value.faults


def test_flags_are_over_the_environment_over_the_file_over_defaults(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(MINIMAL + '[server]\nhost = "file"\nport = 1\ndrain_seconds = 7\n')
    monkeypatch.setenv("KABINET__SERVER__HOST", "environment")
    monkeypatch.setenv("KABINET__SERVER__PORT", "2")
    loaded = load_settings(file, flags={"server": {"port": 3}})
    server = loaded.settings.server
    assert (server.port, server.host, server.drain_seconds, server.graphiql) == (3, "environment", 7, False)
    assert {name: loaded.origins.get(name) for name in ("server.port", "server.host", "server.drain_seconds")} == {
        "server.port": "flag",
        "server.host": "environment",
        "server.drain_seconds": "kabinet.toml",
    }
    assert "server.graphiql" not in loaded.origins
    assert loaded.origins["back_offices.erp.password"] == "kabinet.toml"


def test_layers_are_merged_within_a_table(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write(MINIMAL + '[back_offices.cms]\nadapter = "rest"\n')
    monkeypatch.setenv("KABINET__BACK_OFFICES__CMS__TOKEN", "from the environment")
    flags = {"back_offices": {"cms": {"address": "https://x.test"}}}
    loaded = load_settings(file, flags=flags)
    assert loaded.settings.back_offices["cms"] == {
        "adapter": "rest",
        "token": "from the environment",
        "address": "https://x.test",
    }
    assert flags == {"back_offices": {"cms": {"address": "https://x.test"}}}


def test_the_environment_is_left_alone_where_it_has_no_say(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KABINET__SERVER__PORT", "2")
    monkeypatch.setenv("KABINET__NONSENSE", "2")
    assert load_settings(write(MINIMAL), environment=False).settings.server.port == 8000


@pytest.mark.parametrize("digits", ["123456", "007", "1e5", "true", "null", "[1]", '{"a": 1}', "a,b"])
def test_a_password_in_the_environment_stays_the_text_that_it_is(
    write: Write, monkeypatch: pytest.MonkeyPatch, digits: str
) -> None:
    monkeypatch.setenv("KABINET__BACK_OFFICES__ERP__PASSWORD", digits)
    assert load_settings(write(MINIMAL)).settings.back_offices["erp"]["password"] == digits


def test_a_secret_of_digits_in_the_environment_stays_text(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KABINET__IDENTITY__SECRET", "1" * 40)
    secret = identity_of(load_settings(write(MINIMAL))).secret
    assert secret is not None
    assert secret.get_secret_value() == "1" * 40


def test_lists_and_flags_come_from_the_environment(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KABINET__SECTIONS__OFFERS", "loyalty, cms")
    monkeypatch.setenv("KABINET__SERVER__INTROSPECTION", "true")
    monkeypatch.setenv("kabinet__server__graphiql", "1")
    settings = load_settings(write(MINIMAL)).settings
    assert settings.sections.offers == ("loyalty", "cms")
    assert (settings.server.introspection, settings.server.graphiql) == (True, True)


def test_the_environment_alone_may_be_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("ISSUER", "i"), ("AUDIENCE", "a"), ("SECRET", SECRET)):
        monkeypatch.setenv(f"KABINET__IDENTITY__{name}", value)
    monkeypatch.setenv("KABINET__BACK_OFFICES__ERP__ADAPTER", "rest")
    loaded = load_settings(None)
    assert loaded.settings.back_offices == {"erp": {"adapter": "rest"}}
    assert loaded.folder == Path.cwd()


def test_all_faults_at_once(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write(
        """
        surprise = 1
        [server]
        port = 70000
        prot = 1
        log_format = "yaml"
        [identity]
        issuer = ""
        leeway_seconds = -1
        [back_offices."Bad Name"]
        adapter = "rest"
        [sections]
        profil = "erp"
        """
    )
    monkeypatch.setenv("KABINET__SERVER__DRAIN_SECONDS", "soon")
    monkeypatch.setenv("KABINET__SECTION__PROFILE", "erp")
    found = faults(file)
    for name in (
        "surprise: there is no such setting",
        "server.port: ",
        "server.prot: there is no such setting",
        "server.log_format: ",
        "server.drain_seconds: ",
        "identity.issuer: ",
        "identity.audience: is missing; set it in the file, or KABINET__IDENTITY__AUDIENCE in the environment",
        "identity.leeway_seconds: ",
        "back_offices.Bad Name: ",
        "sections.profil: there is no such setting",
        "KABINET__SECTION__PROFILE: there is no such setting",
    ):
        assert sum(line.startswith(name) for line in found) == 1, (name, found)
    assert len(found) == 11


@pytest.mark.parametrize("name", ["KABINET__SERVRE__PORT", "KABINET__", "KABINET____", "kabinet__x"])
def test_a_name_in_the_environment_that_nobody_reads_is_a_fault(
    write: Write, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "sec-ret")
    assert faults(write(MINIMAL)) == [f"{name}: there is no such setting"]


@pytest.mark.parametrize(
    ("name", "where"),
    [("KABINET__SERVER", "server"), ("KABINET__BACK_OFFICES", "back_offices"), ("KABINET__SECTIONS", "sections")],
)
@pytest.mark.parametrize("value", ["junk", '{"port": 1}', ""])
def test_a_table_as_one_text_is_a_fault(
    write: Write, monkeypatch: pytest.MonkeyPatch, name: str, where: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    (fault,) = faults(write(MINIMAL))
    assert fault.startswith(f"{where}: ")


def test_nothing_at_all_says_what_is_missing() -> None:
    found = faults(None)
    assert [line.partition(": ")[0] for line in found] == ["identity", "back_offices"]


def test_a_file_with_a_byte_order_mark_is_read(write: Write) -> None:
    assert identity_of(load_settings(write(b"\xef\xbb\xbf" + MINIMAL.encode()))).audience == "cabinet"


@pytest.mark.parametrize(
    "content", [b"port: 8000\n", b'secret = "sec-ret', b'a = "\xff"', MINIMAL.encode("utf-16"), b"a = 1\na = 2\n"]
)
def test_what_is_not_toml_says_so(write: Write, content: bytes) -> None:
    file = write(content)
    (fault,) = faults(file)
    assert fault.startswith(f"{file}: is not TOML (")


def test_a_file_that_is_not_there_or_no_file_says_so(tmp_path: Path) -> None:
    assert faults(tmp_path / "nowhere.toml") == [
        f"{tmp_path / 'nowhere.toml'}: cannot be read (No such file or directory)"
    ]
    assert faults(tmp_path) == [f"{tmp_path}: cannot be read (Is a directory)"]


def test_no_secret_prints(write: Write) -> None:
    loaded = load_settings(write(MINIMAL))
    shown = f"{loaded!r} {loaded} {loaded.settings!r} {loaded.settings} {loaded.settings.identity!r}"
    assert "sec-ret" not in shown


def test_settings_do_not_change_afterwards(write: Write) -> None:
    settings = load_settings(write(MINIMAL)).settings
    with pytest.raises(ValueError, match="frozen"):
        settings.server.port = 1


def with_identity(lines: str) -> str:
    return MINIMAL.replace(f'secret = "{SECRET}"', lines)


def test_relative_paths_start_at_the_settings_folder(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "jwks.json").write_text("{}")
    file = write(with_identity('jwks_file = "keys/jwks.json"'))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    loaded = load_settings(Path("..") / file.name)
    assert identity_of(loaded).jwks_file == tmp_path / "keys" / "jwks.json"
    assert loaded.folder == tmp_path


def test_a_file_that_a_setting_names_must_exist(write: Write, tmp_path: Path) -> None:
    (fault,) = faults(write(with_identity('jwks_file = "jwks.json"')))
    assert fault == f"identity.jwks_file: there is no file {tmp_path / 'jwks.json'}"


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("", "set exactly one of secret"),
        ('secret = "sec-ret-of-31-characters-......"\njwks_file = "kabinet.toml"', "set exactly one of secret"),
        ('secret = "sec-ret"', "shorter than 32 bytes"),
        ('secret = ""', "the secret is empty"),
        ("secret = 12345678901234567890123456789012", "valid string"),
    ],
    ids=["neither key source", "both", "short", "empty", "not a text"],
)
def test_keys_come_from_exactly_one_good_source(write: Write, lines: str, said: str) -> None:
    (fault,) = faults(write(with_identity(lines)))
    assert fault.startswith("identity")
    assert said in fault


def test_the_length_of_a_secret_is_counted_in_bytes(write: Write) -> None:
    assert identity_of(load_settings(write(with_identity(f'secret = "{"ж" * 16}"')))).secret is not None


def test_nested_tables_are_flattened_to_dotted_names() -> None:
    assert dict(flatten({"a": {"b": 1, "c": {"d": [2]}}, "e": {}, "f": 3})) == {"a.b": 1, "a.c.d": [2], "f": 3}


def test_what_was_loaded_without_a_file_has_no_origins_to_tell() -> None:
    loaded = load_settings(
        None,
        flags={
            "identity": {"issuer": "i", "audience": "a", "secret": SECRET},
            "back_offices": {"erp": {"adapter": "rest"}},
        },
        environment=False,
    )
    assert isinstance(loaded, LoadedSettings)
    assert set(loaded.origins.values()) == {"flag"}


@pytest.mark.parametrize("host", ["", " "])
def test_an_empty_host_would_be_every_address_and_is_a_fault(write: Write, host: str) -> None:
    (fault,) = faults(write(MINIMAL + f'[server]\nhost = "{host}"\n'))
    assert fault.startswith("server.host: is empty")


def test_what_is_right_is_read_beside_what_is_wrong(write: Write) -> None:
    text = MINIMAL.replace('audience = "cabinet"', "") + (
        '[back_offices."Bad Name"]\nadapter = "x"\n[server]\nport = -1\n[sections]\nprofile = "erp"\n'
    )
    loaded = read_settings(write(text))
    assert len(loaded.faults) == 3
    assert loaded.wrong == {"identity", "back_offices", "server"}
    assert (loaded.settings.sections.profile, loaded.settings.server.port) == ("erp", 8000)
    assert loaded.settings.back_offices.keys() == {"erp", "Bad Name"}
    assert "sec-ret" not in repr(loaded)
