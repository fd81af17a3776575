"""Settings and mapping files of documents: whole ones, and fragments, which are merged into the demo's own."""

import json
import ssl
import tomllib
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import certifi
import pytest
from joserfc.jwk import ECKey, KeySet
from pydantic import BaseModel

import bff.demo
from adapters.cms.rest.mapping import RequestTable as RestRequest
from adapters.erp.onec_soap.mapping import RequestTable as OneCRequest
from adapters.erp.onec_soap.mapping import WriteRequestTable
from bff.app import assemble
from bff.config import LoadedSettings, SettingsError, load_settings
from bff.mapping import Dialect, MappingFile, compile_reads, compile_writes, load_mapping
from bff.plugins import discover
from bff.senders import discover_senders

SECRET = "a secret of the tests, 32 bytes long"
SHOP = Path(bff.demo.__file__).parent / "shop"

DIALECTS: Mapping[str, tuple[Dialect, type[BaseModel]]] = {
    "onec_soap": (Dialect.XML, OneCRequest),
    "rest": (Dialect.JSON, RestRequest),
}


def secrets_for(raw: Mapping[str, Any]) -> dict[str, Any]:
    """What never stands in a file, for every table that wants one."""
    tables: dict[str, Any] = {
        "back_offices": _secrets(raw["back_offices"], discover()),
        "senders": _secrets(raw.get("senders", {}), discover_senders()),
        "providers": {name: {"client_secret": SECRET} for name in raw.get("providers", {})},
    }
    if "identity" in raw and not {"jwks_file", "jwks_url", "discovery"} & raw["identity"].keys():
        tables["identity"] = {"secret": SECRET}
    if "sessions" in raw:
        tables["sessions"] = {"secret": SECRET}
    return {name: table for name, table in tables.items() if table}


def _secrets(tables: Mapping[str, Any], specs: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: {
            field: SECRET.replace(" ", "-")
            for field, about in specs[table["adapter"]].settings.model_fields.items()
            if "SecretStr" in repr(about.annotation)
        }
        for name, table in tables.items()
    }


def load_whole_mapping(file: Path, adapter: str) -> None:
    """Load a mapping file and compile every read and write in it."""
    _compile(load_mapping(file), adapter)


def load_fragment(base: str, fragment: Mapping[str, Any], folder: Path, *, demo: bool = False) -> None:
    """
    Merge a fragment into the demo's file of that name, and load what comes of it, in a folder made for it.

    One of signing in is merged into what switches that on. `demo`: it is good in the demo, and refused elsewhere.
    """
    raw = tomllib.loads((SHOP / base).read_text(encoding="utf-8"))
    if base != "kabinet.toml":
        _compile(MappingFile.model_validate(_merged(raw, fragment)), "onec_soap" if base == "erp.toml" else "rest")
        return
    if {"senders", "providers"} & fragment.keys():
        raw |= {"sessions": {}, "store": fragment.get("store", {"path": "kabinet.sqlite"})}
    loaded = _load_settings(_merged(raw, fragment), folder)
    if demo:
        with pytest.raises(SettingsError, match="for the demo"):
            assemble(loaded)
    assemble(replace(loaded, demo=demo))


def _compile(mapping: MappingFile, adapter: str) -> None:
    dialect, request = DIALECTS[adapter]
    compile_reads(mapping, dialect, request)
    if adapter == "onec_soap":
        compile_writes(mapping, dialect, WriteRequestTable)


def _load_settings(raw: dict[str, Any], folder: Path) -> LoadedSettings:
    """The demo's files and those that fragments name lie beside the settings."""
    shop = folder / "shop"
    shop.mkdir(parents=True)
    for name in ("erp.toml", "cms.toml", "cabinet.wsdl"):
        (shop / name).write_bytes((SHOP / name).read_bytes())
    (shop / "ca.pem").write_text(_one_authority(), encoding="ascii")
    keys = KeySet([ECKey.generate_key("P-256", {"kid": "1", "use": "sig"})]).as_dict(private=False)
    (shop / "jwks.json").write_text(json.dumps(keys), encoding="ascii")
    file = shop / "kabinet.toml"
    file.write_text("\n".join(f"{json.dumps(key)} = {_toml(value)}" for key, value in raw.items()), encoding="utf-8")
    return load_settings(file, flags=secrets_for(raw), environment=False)


def _one_authority() -> str:
    context = ssl.create_default_context(cafile=certifi.where())
    return ssl.DER_cert_to_PEM_cert(context.get_ca_certs(binary_form=True)[0])


def _merged(base: Mapping[str, Any], over: Mapping[str, Any], depth: int = 0) -> dict[str, Any]:
    """Tables are merged down to `[reads.x.reply]`, which is replaced as a whole: so are lists."""
    merged = deepcopy(dict(base))
    for name, value in over.items():
        if isinstance(value, Mapping) and isinstance(merged.get(name), dict) and depth < 2:
            merged[name] = _merged(merged[name], value, depth + 1)
        else:
            merged[name] = value
    return merged


def _toml(value: object) -> str:
    match value:
        case dict():
            return (
                "{"
                + ", ".join(f"{json.dumps(key, ensure_ascii=False)} = {_toml(each)}" for key, each in value.items())
                + "}"
            )
        case list():
            return "[" + ", ".join(_toml(each) for each in value) + "]"
    return json.dumps(value, ensure_ascii=False)
