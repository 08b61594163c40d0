"""Sealed delivery: only the holder of the agency's registered key can read it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey

from hub.auth.clients import Client, read_clients, register_client
from hub.auth.principal import Principal
from hub.auth.recipients import ALGORITHM, ENCRYPTION, PAD_BYTES, Recipients, read_encryption_key
from hub.errors import SettingsError

KEY = ECKey.generate_key("P-256", auto_kid=True)
OTHER = ECKey.generate_key("P-256", auto_kid=True)


def client(jwk=None, agency="tax") -> Client:
    return Client(
        client_id="c1", role="tax", agency=agency, regions=("36",), purposes=("TAX_RELIEF",), jwk={}, encryption_jwk=jwk
    )


def principal(*, client="c1", agency="tax") -> Principal:
    return Principal(
        agency=agency, role="tax", officer="1", client=client, regions=("36",), purposes=frozenset(), cases=None,
        token_id="t", expires_at=0,
    )  # fmt: skip


RECIPIENTS = Recipients({"c1": client(KEY.as_dict(private=False))})


def opened(text: str, key) -> dict:
    return json.loads(jwe.decrypt_compact(text, key, algorithms=[ALGORITHM, ENCRYPTION]).plaintext)


@given(value=st.text(max_size=200))
def test_the_holder_of_the_key_reads_the_value_and_for_which_field_it_is(value):
    found = opened(RECIPIENTS.sealing("c1", "Person.name")(value), KEY)
    assert (found["coordinate"], found["value"]) == ("Person.name", value)


def test_nobody_else_does():
    text = RECIPIENTS.sealing("c1", "Person.name")("张三")
    with pytest.raises(JoseError):
        opened(text, OTHER)


def test_two_deliveries_of_one_value_differ_and_hide_its_length():
    seal = RECIPIENTS.sealing("c1", "Person.name")
    assert seal("张三") != seal("张三")
    assert len({len(seal("字" * length)) for length in range(1, PAD_BYTES // 3 - 5)}) <= 2


def test_the_header_names_algorithm_and_key_and_nothing_of_the_person():
    header = jwe.decrypt_compact(
        RECIPIENTS.sealing("c1", "Person.name")("张三"), KEY, algorithms=[ALGORITHM, ENCRYPTION]
    ).protected
    assert {name: header[name] for name in ("alg", "enc", "cty", "kid")} == {
        "alg": "ECDH-ES+A256KW", "enc": "A256GCM", "cty": "json", "kid": KEY.kid,
    }  # fmt: skip
    assert set(header) == {"alg", "enc", "cty", "kid", "epk"}


def test_there_is_no_delivery_without_a_key_or_to_the_client_of_another_agency():
    assert RECIPIENTS.of(principal()) == "c1"
    assert RECIPIENTS.of(principal(client="c2")) is None
    assert RECIPIENTS.of(principal(agency="police")) is None
    assert Recipients({"c1": client(None)}).of(principal()) is None


def test_keys_of_both_kinds_are_taken():
    for key in (KEY, OKPKey.generate_key("X25519")):
        recipients = Recipients({"c1": client(key.as_dict(private=False))})
        assert opened(recipients.sealing("c1", "Person.name")("a"), key)["value"] == "a"


@pytest.mark.parametrize(
    "jwk",
    [
        pytest.param(KEY.as_dict(private=True), id="private"),
        pytest.param({**KEY.as_dict(private=False), "use": "sig"}, id="for signatures"),
        pytest.param({"kty": "oct", "k": "AAAA"}, id="symmetric"),
        pytest.param(OKPKey.generate_key("Ed25519").as_dict(private=False), id="signature curve"),
        pytest.param({**KEY.as_dict(private=False), "x": "AAAA"}, id="not on the curve"),
        pytest.param({"kty": "EC", "crv": "P-256"}, id="incomplete"),
        pytest.param({}, id="empty"),
    ],
)
def test_a_key_that_is_none_is_refused(jwk):
    with pytest.raises(SettingsError):
        read_encryption_key(jwk, "c1")


def test_a_key_is_registered_with_its_client(tmp_path):
    path = tmp_path / "clients.json"
    jwk = KEY.as_dict(private=False)
    register_client(path, "c1", role="tax", agency="tax", regions=("36",), purposes=("TAX_RELIEF",), encryption_jwk=jwk)
    register_client(path, "c2", role="tax", agency="tax", regions=("36",), purposes=("TAX_RELIEF",))
    found = read_clients(path)
    assert (found["c1"].encryption_jwk, found["c2"].encryption_jwk) == (jwk, None)
    assert Recipients(found).of(principal()) == "c1"
