import secrets
import stat
import time

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

from hub.auth.clients import read_clients, register_client
from hub.auth.issuer import Issuer, TokenEndpoint, open_issuer_key
from hub.auth.token import TokenVerifier
from hub.clock import SystemClock
from hub.errors import KeyMaterialError, SettingsError

URL = "https://hub.test"
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@pytest.fixture
def issuer(tmp_path):
    key = open_issuer_key(tmp_path / "issuer.pem", create=True)
    return key, Issuer(key, url=URL, audience=f"{URL}/graphql", clock=SystemClock())


@pytest.fixture
def client(tmp_path):
    pem = register_client(
        tmp_path / "clients.json", "c1", role="tax", agency="tax", regions=("36",), purposes=("TAX_RELIEF",)
    )
    return ECKey.import_key(pem)


@pytest.fixture
def endpoint(issuer, client, tmp_path):
    return TokenEndpoint(issuer[1], read_clients(tmp_path / "clients.json"))


def form(key, **changes):
    now = int(time.time())
    claims = {
        "iss": "c1",
        "sub": "c1",
        "aud": f"{URL}/oauth/token",
        "jti": secrets.token_hex(8),
        "iat": now,
        "exp": now + 60,
    }
    signed = jwt.encode({"alg": "ES256"}, {**claims, **changes}, key)
    return {"grant_type": "client_credentials", "client_assertion_type": ASSERTION, "client_assertion": signed}


def test_a_registered_client_gets_a_token_for_the_officer_it_names(issuer, endpoint, client):
    status, headers, body = endpoint.answer({**form(client), "officer": "77"}, {})
    assert (status, body["token_type"], body["expires_in"]) == (200, "Bearer", 3600)
    assert headers["Cache-Control"] == "no-store"
    verifier = TokenVerifier(
        issuer=URL, audience=f"{URL}/graphql", keys=issuer[0].public_keys, agency_of={"tax": "tax"}, clock=SystemClock()
    )
    found = verifier.verify(f"Bearer {body['access_token']}")
    assert (found.officer, found.client, found.role, found.regions) == ("77", "c1", "tax", ("36",))


def test_a_disabled_client_gets_no_token(issuer, client, tmp_path):
    disabled = {"c1"}
    endpoint = TokenEndpoint(issuer[1], read_clients(tmp_path / "clients.json"), disabled)
    assert endpoint.answer(form(client), {})[2]["error"] == "invalid_client"
    disabled.clear()
    assert endpoint.answer(form(client), {})[0] == 200


@pytest.mark.parametrize("officer", ["", "a b", "七", "x" * 65, "8001\n"])
def test_an_officer_who_cannot_be_named_is_refused(endpoint, client, officer):
    status, _, body = endpoint.answer({**form(client), "officer": officer}, {})
    assert (status, body) == (400, {"error": "invalid_request"})


def test_an_assertion_works_once(endpoint, client):
    once = form(client)
    assert endpoint.answer(once, {})[0] == 200
    status, _, body = endpoint.answer(once, {})
    assert (status, body["error"]) == (400, "invalid_client")


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"aud": "http://other.test/oauth/token"}, id="other audience"),
        pytest.param({"sub": "c2", "iss": "c2"}, id="unknown client"),
        pytest.param({"exp": 1}, id="expired"),
    ],
)
def test_wrong_assertions_are_refused(endpoint, client, change):
    status, _, body = endpoint.answer(form(client, **change), {})
    assert (status, body["error"]) == (400, "invalid_client")


def test_another_key_is_refused(endpoint):
    assert endpoint.answer(form(ECKey.generate_key("P-256")), {})[0] == 400


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"grant_type": "client_credentials"},
        {"grant_type": "client_credentials", "client_id": "c1", "client_secret": "x"},
    ],
)
def test_no_authentication_is_refused(endpoint, fields):
    assert endpoint.answer(fields, {})[0] in (400, 401)


def test_other_grants_are_refused(endpoint, client):
    status, _, body = endpoint.answer({**form(client), "grant_type": "password"}, {})
    assert (status, body["error"]) == (400, "unsupported_grant_type")


def test_key_files_are_private_and_a_client_id_is_taken_once(tmp_path, issuer, client):
    for name in ("issuer.pem", "clients.json"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
    with pytest.raises(SettingsError, match="client exists"):
        register_client(tmp_path / "clients.json", "c1", role="tax", agency="tax", regions=(), purposes=())
    (tmp_path / "issuer.pem").chmod(0o644)
    with pytest.raises(KeyMaterialError, match="mode 0600"):
        open_issuer_key(tmp_path / "issuer.pem", create=False)


def test_damaged_clients_do_not_start(tmp_path):
    (tmp_path / "clients.json").write_text("[{}]")
    with pytest.raises(SettingsError, match="is damaged"):
        read_clients(tmp_path / "clients.json")


@pytest.mark.parametrize(("name", "region"), [("", "36"), ("a b", "36"), ("../c", "36"), ("c2", "%"), ("c2", "")])
def test_a_client_whose_tokens_would_all_be_refused_is_not_registered(tmp_path, name, region):
    with pytest.raises(SettingsError):
        register_client(
            tmp_path / "c.json", name, role="tax", agency="tax", regions=(region,), purposes=("TAX_RELIEF",)
        )
    assert not (tmp_path / "c.json").exists()


def test_a_client_names_whom_its_officer_stands_in_for(issuer, endpoint, client):
    status, _, body = endpoint.answer({**form(client), "officer": "77", "on_behalf_of": "78"}, {})
    assert status == 200
    verifier = TokenVerifier(
        issuer=URL, audience=f"{URL}/graphql", keys=issuer[0].public_keys, agency_of={"tax": "tax"}, clock=SystemClock()
    )
    found = verifier.verify(f"Bearer {body['access_token']}")
    assert (found.officer, found.on_behalf_of) == ("77", "78")


@pytest.mark.parametrize(
    "named",
    [
        {"officer": "77", "on_behalf_of": "77"},
        {"officer": "77", "on_behalf_of": ""},
        {"officer": "77", "on_behalf_of": "7 8"},
        {"on_behalf_of": "78"},
    ],
    ids=["oneself", "empty", "no number", "nobody stands in"],
)
def test_who_stands_in_for_nobody_that_can_be_named_gets_no_token(endpoint, client, named):
    assert endpoint.answer({**form(client), **named}, {})[0] == 400
