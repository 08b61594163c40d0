"""Authorization code with PKCE at the built-in issuer: one use, one client, one place, one proof."""

import pytest
from authlib.common.security import generate_token
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from joserfc.jwk import ECKey

from hub.auth.code_grant import CODE_S, AuthorizationRefusedError, CodeIssuer
from hub.auth.issuer import Issuer, IssuerKey, TokenEndpoint
from hub.auth.token import TokenVerifier
from hub.rules import read_rules
from hub.settings import load_settings

RULES = read_rules(load_settings(demo=True))
URL = "http://127.0.0.1:8000"
BACK = f"{URL}/console/callback"
VERIFIER = generate_token(48)
QUERY = {
    "response_type": "code",
    "client_id": "console",
    "redirect_uri": BACK,
    "state": "s",
    "code_challenge": create_s256_code_challenge(VERIFIER),
    "code_challenge_method": "S256",
}
KEY = IssuerKey(ECKey.generate_key("P-256").as_pem(private=True))


@pytest.fixture
def parts(clock):
    endpoint = TokenEndpoint(Issuer(KEY, url=URL, audience=f"{URL}/graphql", clock=clock), {})
    return endpoint, CodeIssuer(endpoint, KEY, clock, redirect_uri=BACK, personas=RULES.personas)


def code_of(issuer, persona="auditor", officer="9001"):
    place = issuer.sign_in(QUERY, persona, officer)
    assert place.startswith(f"{BACK}?code=")
    assert place.endswith("&state=s")
    return place.removeprefix(f"{BACK}?code=").removesuffix("&state=s")


def exchange(endpoint, given, **changed):
    form = {
        "grant_type": "authorization_code",
        "client_id": "console",
        "code": given,
        "redirect_uri": BACK,
        "code_verifier": VERIFIER,
        **changed,
    }
    return endpoint.answer({name: value for name, value in form.items() if value is not None}, {})


def test_a_code_becomes_the_officer_s_token_once(parts, clock):
    endpoint, issuer = parts
    code = code_of(issuer, "county-office", "3002")
    status, headers, body = exchange(endpoint, code)
    assert (status, headers["Cache-Control"]) == (200, "no-store")
    agencies = {role.name: role.agency for role in RULES.purposes.roles.values()}
    verifier = TokenVerifier(
        issuer=URL, audience=f"{URL}/graphql", keys=KEY.public_keys, agency_of=agencies, clock=clock
    )
    principal = verifier.verify(f"Bearer {body['access_token']}")
    assert (principal.role, principal.officer) == ("county-office", "3002")
    assert exchange(endpoint, code)[0] == 400


@pytest.mark.parametrize(
    "changed",
    [
        {"code_verifier": generate_token(48)},
        {"code_verifier": None},
        {"redirect_uri": f"{URL}/elsewhere"},
        {"redirect_uri": None},
        {"client_id": "other"},
        {"client_id": None},
        {"code": "x"},
    ],
)
def test_what_a_code_is_refused_for(parts, changed):
    endpoint, issuer = parts
    assert exchange(endpoint, code_of(issuer), **changed)[0] in (400, 401)


def test_an_old_code_and_an_access_token_are_no_codes(parts, clock):
    endpoint, issuer = parts
    code = code_of(issuer)
    clock.advance(CODE_S + 1)
    assert exchange(endpoint, code)[0] == 400
    status, _, body = exchange(endpoint, code_of(issuer))
    assert status == 200
    assert exchange(endpoint, body["access_token"])[0] == 400


@pytest.mark.parametrize(
    "changed",
    [
        {"response_type": "token"},
        {"client_id": "other"},
        {"redirect_uri": "http://elsewhere.example/"},
        {"code_challenge": None},
        {"code_challenge_method": "plain"},
    ],
)
def test_no_page_is_shown_for_a_request_that_is_not_the_console_s(parts, changed):
    query = {name: value for name, value in (QUERY | changed).items() if value is not None}
    with pytest.raises(AuthorizationRefusedError):
        parts[1].check(query)


@pytest.mark.parametrize(("persona", "officer"), [("tax", "1"), ("auditor", ""), ("auditor", "a b"), ("x", "1")])
def test_only_officers_of_the_console_sign_in(parts, persona, officer):
    with pytest.raises(AuthorizationRefusedError):
        parts[1].sign_in(QUERY, persona, officer)


def test_an_officer_may_sign_in_on_another_one_s_behalf(parts, clock):
    endpoint, issuer = parts
    place = issuer.sign_in(QUERY, "auditor", "9001", "9002")
    _, _, body = exchange(endpoint, place.removeprefix(f"{BACK}?code=").removesuffix("&state=s"))
    agencies = {role.name: role.agency for role in RULES.purposes.roles.values()}
    verifier = TokenVerifier(
        issuer=URL, audience=f"{URL}/graphql", keys=KEY.public_keys, agency_of=agencies, clock=clock
    )
    found = verifier.verify(f"Bearer {body['access_token']}")
    assert (found.officer, found.on_behalf_of) == ("9001", "9002")


@pytest.mark.parametrize("other", ["9001", "", "9 2"], ids=["oneself", "empty", "no number"])
def test_nobody_signs_in_on_behalf_of_nobody(parts, other):
    with pytest.raises(AuthorizationRefusedError):
        parts[1].sign_in(QUERY, "auditor", "9001", other)
