"""An issuer that is not the hub: what is believed of it, and what is not."""

import asyncio
import warnings

import pytest
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from hub.auth.remote_issuer import MAX_BYTES, IssuerUnavailableError, RemoteIssuer
from hub.auth.token import TokenVerifier
from hub.clock import SystemClock
from hub.errors import SettingsError, UnauthenticatedError
from hub.settings import load_settings
from tests.auth.issuing import StandIn

AUDIENCE = "https://hub.test/graphql"
CLAIMS = {
    "sub": "officer:ann", "client_id": "c", "act": {"sub": "client:c"}, "agency": "tax", "role": "tax",
    "regions": ["36"], "purposes": ["TAX_RELIEF"],
}  # fmt: skip


with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # joserfc says that it is short
    SHORT = RSAKey.generate_key(1024, auto_kid=False).as_dict(private=False)


@pytest.fixture
async def issuer():
    async with StandIn(AUDIENCE, **CLAIMS).serving() as issuer:
        yield issuer


@pytest.fixture
def remote(issuer):
    return RemoteIssuer(issuer.url, audience=AUDIENCE)


def verifier(issuer, remote):
    return TokenVerifier(
        issuer=issuer.url, audience=AUDIENCE, keys=remote.keys, agency_of={"tax": "tax"}, clock=SystemClock()
    )


def bearer(token):
    return f"Bearer {token}"


async def test_its_tokens_are_good_once_its_keys_are_known(issuer, remote):
    checks = verifier(issuer, remote)
    with pytest.raises(UnauthenticatedError):
        checks.verify(bearer(issuer.token()))
    await remote.refresh()
    assert checks.verify(bearer(issuer.token())).officer == "ann"
    issuer.key = ECKey.generate_key("P-256")  # not published
    with pytest.raises(UnauthenticatedError):
        checks.verify(bearer(issuer.token()))
    issuer.keys.append(issuer.public(issuer.key))
    await remote.refresh()
    assert checks.verify(bearer(issuer.token())).officer == "ann"


async def test_a_token_of_another_issuer_or_for_another_hub_is_none(issuer, remote):
    await remote.refresh()
    for changes in ({"iss": "https://other.test"}, {"aud": ["https://other.test/graphql"]}):
        with pytest.raises(UnauthenticatedError):
            verifier(issuer, remote).verify(bearer(issuer.token(**changes)))


@pytest.mark.parametrize(
    "change",
    [
        {"issuer": "https://other.test"},
        {"jwks_uri": "http://other.test/jwks"},
        {"jwks_uri": "ftp://127.0.0.1/jwks"},
        {"jwks_uri": 7},
        {"jwks_uri": None},
    ],
    ids=["another", "in the clear", "no HTTP", "no text", "none"],
)
async def test_metadata_that_are_not_its_own_are_refused_and_what_was_known_stays(issuer, remote, change):
    await remote.refresh()
    before = remote.keys()
    issuer.metadata = {**issuer.metadata, **change}
    with pytest.raises(IssuerUnavailableError):
        await remote.refresh()
    assert remote.keys() is before


@pytest.mark.parametrize(
    "keys",
    [
        [],
        [StandIn.public(ECKey.generate_key("P-384"))],
        [{**SHORT, "kid": "k"}],
        [StandIn.public(ECKey.generate_key("P-256"), use="enc")],
        [{**OctKey.generate_key(256).as_dict(), "kid": "k"}],
        [{"kty": "EC", "crv": "P-256", "x": "!", "y": "!", "kid": "k"}],
        [{"kty": "none", "kid": "k"}, "k", None],
        [StandIn.public(ECKey.generate_key("P-256"), kid="k") for _ in range(2)],
        [StandIn.public(ECKey.generate_key("P-256")) for _ in range(51)],
        "k",
    ],
    ids=["none", "curve", "short", "use", "secret", "broken", "unknown", "one name", "many", "no list"],
)
@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
async def test_keys_that_sign_no_tokens_are_refused(issuer, remote, keys):
    issuer.keys = keys
    with pytest.raises(IssuerUnavailableError):
        await remote.refresh()
    assert remote.keys() == {}


async def test_of_many_keys_those_that_sign_are_taken(issuer, remote):
    good = [ECKey.generate_key("P-256"), OKPKey.generate_key("Ed25519"), RSAKey.generate_key(2048, auto_kid=False)]
    issuer.keys = [issuer.public(key) for key in good] + [issuer.public(ECKey.generate_key("P-521")), {"kty": "x"}]
    await remote.refresh()
    assert remote.keys().keys() == {key.thumbprint() for key in good}


async def test_an_answer_that_is_too_large_is_refused(issuer, remote):
    issuer.metadata = {**issuer.metadata, "x": "x" * MAX_BYTES}
    with pytest.raises(IssuerUnavailableError, match="bytes"):
        await remote.refresh()


async def test_one_that_is_away_is_asked_again_until_it_answers(monkeypatch, issuer):
    monkeypatch.setattr("hub.auth.remote_issuer.AGAIN_S", 0.01)
    kept, issuer.metadata = issuer.metadata, {}
    remote = RemoteIssuer(issuer.url, audience=AUDIENCE)
    with pytest.raises(IssuerUnavailableError):
        _ = remote.authorization_endpoint
    running = asyncio.create_task(remote.run())
    await asyncio.sleep(0.05)
    issuer.metadata = kept
    async with asyncio.timeout(60):
        while not remote.keys():
            await asyncio.sleep(0.01)
    running.cancel()
    assert remote.authorization_endpoint == f"{issuer.url}/authorize"


async def test_a_code_that_it_does_not_know_is_refused(issuer, remote):
    await remote.refresh()
    with pytest.raises(UnauthenticatedError):
        await remote.exchange({"code": "x", "code_verifier": "y"})
    assert issuer.asked[0]["resource"] == AUDIENCE


@pytest.mark.parametrize("url", ["http://issuer.test", "http://127.0.0.1.issuer.test"])
def test_an_issuer_is_not_asked_in_the_clear(url):
    with pytest.raises(SettingsError) as refused:
        load_settings(issuer=url)
    assert "HUB_ISSUER" in str(refused.value)
