import hmac
import json
import re
from base64 import urlsafe_b64encode
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import ECKey, OKPKey, RSAKey

from hub.auth.token import MAX_ACTORS, TokenVerifier
from hub.clock import FixedClock
from hub.errors import ActorInvalidError, UnauthenticatedError

NOW = int(datetime(2026, 11, 24, 8, 0, tzinfo=UTC).timestamp())
ISSUER, AUDIENCE = "http://hub.test", "http://hub.test/graphql"
KEY = ECKey.generate_key("P-256")
OTHER = ECKey.generate_key("P-256")
P384 = ECKey.generate_key("P-384")
RSA = RSAKey.generate_key(2048)
ED = OKPKey.generate_key("Ed25519")
HEADER = {"alg": "ES256", "typ": "at+jwt", "kid": "k1"}
CLAIMS = {
    "iss": ISSUER,
    "aud": [AUDIENCE],
    "sub": "officer:8001",
    "client_id": "c1",
    "act": {"sub": "client:c1"},
    "jti": "t1",
    "iat": NOW,
    "nbf": NOW,
    "exp": NOW + 3600,
    "agency": "tax",
    "role": "tax",
    "regions": ["36"],
    "purposes": ["TAX_RELIEF"],
}


def verifier(clock=None, **extra) -> TokenVerifier:
    return TokenVerifier(
        issuer=ISSUER,
        audience=AUDIENCE,
        keys=lambda: {"k1": KEY, "rsa": RSA, "ed": ED},
        agency_of={"tax": "tax", "prison": "justice"},
        clock=clock or FixedClock(datetime.fromtimestamp(NOW + 10, UTC)),
        **extra,
    )


def b64(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def sign(
    header: dict,
    claims: dict | bytes,
    key=KEY,
    algorithms=("ES256", "PS256", "Ed25519", "EdDSA", "HS256", "RS256", "ES384"),
) -> str:
    payload = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
    registry = jws.JWSRegistry(algorithms=list(algorithms), strict_check_header=False)
    return jws.serialize_compact(header, payload, key, registry=registry)


def token(header: dict | None = None, drop: str | None = None, key=KEY, **claims) -> str:
    merged = {**CLAIMS, **claims}
    if drop:
        del merged[drop]
    return sign({**HEADER, **(header or {})}, merged, key)


GOOD = token()


def test_a_good_token_is_a_principal():
    found = verifier().verify(f"Bearer {GOOD}")
    assert (found.agency, found.role, found.officer, found.client) == ("tax", "tax", "8001", "c1")
    assert (found.regions, found.purposes, found.cases) == (("36",), {"TAX_RELIEF"}, None)


def test_a_token_bound_to_cases_says_so():
    assert verifier().verify(f"Bearer {token(cases=['X-1'])}").cases == {"X-1"}


def test_a_token_of_the_person_concerned_names_the_person_by_an_id_of_its_agency():
    known = verifier(person_of=lambda agency, text: f"number of {text}" if (agency, text) == ("tax", "id-1") else None)
    assert known.verify(f"Bearer {token(person='id-1')}").subject == "number of id-1"
    assert known.verify(f"Bearer {GOOD}").subject is None


@pytest.mark.parametrize("person", ["id-2", "", 7, None, ["id-1"], "x" * 201])
def test_a_token_that_names_nobody_is_no_token(person):
    known = verifier(person_of=lambda _agency, text: "number" if text == "id-1" else None)
    with pytest.raises(UnauthenticatedError):
        known.verify(f"Bearer {token(person=person)}")


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")  # the name of RFC 8037; RFC 9864 prefers Ed25519
@pytest.mark.parametrize(("alg", "kid", "key"), [("PS256", "rsa", RSA), ("EdDSA", "ed", ED)])
def test_each_kind_of_key_has_its_one_algorithm(alg, kid, key):
    assert verifier().verify(f"Bearer {token({'alg': alg, 'kid': kid}, key=key)}").officer == "8001"


def test_the_scheme_is_case_insensitive():
    assert verifier().verify(f"bearer {GOOD}").officer == "8001"


PARTS = GOOD.split(".")
DUPLICATE = b64(b'{"iss":"x",' + json.dumps(CLAIMS).encode()[1:])
TWICE = b'{"sub":"officer:1",' + json.dumps(CLAIMS).encode()[1:]
TWO_ALGS = b'{"alg":"none",' + json.dumps(HEADER).encode()[1:]
DEEP = b'{"a":' + b"[" * 3000 + b"]" * 3000 + b"}"


def hs256() -> str:
    """Signed with the issuer's public key as if it were a shared secret; the library refuses to make such a thing."""
    signed = f"{b64(json.dumps({**HEADER, 'alg': 'HS256'}).encode())}.{PARTS[1]}"
    return f"{signed}.{b64(hmac.digest(KEY.as_pem(private=False), signed.encode(), 'sha256'))}"


def unsigned(header: dict) -> str:
    return f"{b64(json.dumps(header).encode())}.{PARTS[1]}."


def resigned(claims_part: bytes) -> str:
    return sign(HEADER, claims_part)


HOSTILE = {
    "no header": None,
    "empty header": "",
    "scheme only": "Bearer",
    "scheme and blank": "Bearer ",
    "basic": "Basic dXNlcjpwYXNz",
    "two tokens": f"Bearer {GOOD} {GOOD}",
    "comma list": f"Bearer {GOOD}, Bearer {GOOD}",
    "leading blank in token": f"Bearer  {GOOD}",
    "trailing blank": f"Bearer {GOOD} ",
    "newline inside": f"Bearer {GOOD[:20]}\n{GOOD[20:]}",
    "nul inside": f"Bearer {GOOD[:20]}\x00{GOOD[20:]}",
    "not ascii": f"Bearer {GOOD}é",
    "garbage": "Bearer garbage",
    "dots only": "Bearer ..",
    "two parts": f"Bearer {PARTS[0]}.{PARTS[1]}",
    "four parts": f"Bearer {GOOD}.x",
    "five parts (JWE)": f"Bearer {GOOD}.x.y",
    "a megabyte": "Bearer " + "A" * 1_000_000,
    "alg none": f"Bearer {unsigned({**HEADER, 'alg': 'none'})}",
    "alg None": f"Bearer {unsigned({**HEADER, 'alg': 'None'})}",
    "no signature": f"Bearer {PARTS[0]}.{PARTS[1]}.",
    "HS256 with the public key": f"Bearer {hs256()}",
    "RS256 where PS256 is fixed": f"Bearer {token({'alg': 'RS256', 'kid': 'rsa'}, key=RSA)}",
    "ES256 header, RSA key": f"Bearer {GOOD.replace(PARTS[0], b64(json.dumps({**HEADER, 'kid': 'rsa'}).encode()))}",
    "ES384": f"Bearer {token({'alg': 'ES384'}, key=P384)}",
    "another key": f"Bearer {token(key=OTHER)}",
    "unknown kid": f"Bearer {token({'kid': 'k2'})}",
    "numeric kid": f"Bearer {b64(json.dumps({**HEADER, 'kid': 1}).encode())}.{PARTS[1]}.{PARTS[2]}",
    "kid as path": f"Bearer {token({'kid': '../../etc/passwd'})}",
    "typ JWT": f"Bearer {token({'typ': 'JWT'})}",
    "typ missing": f"Bearer {sign({'alg': 'ES256', 'kid': 'k1'}, CLAIMS)}",
    "typ in upper case": f"Bearer {token({'typ': 'AT+JWT'})}",
    "kid missing": f"Bearer {sign({'alg': 'ES256', 'typ': 'at+jwt'}, CLAIMS)}",
    "jku": f"Bearer {token({'jku': 'http://evil.test/jwks'})}",
    "x5u": f"Bearer {token({'x5u': 'http://evil.test/cert'})}",
    "jwk": f"Bearer {token({'jwk': OTHER.as_dict(private=False)}, key=OTHER)}",
    "crit": f"Bearer {b64(json.dumps({**HEADER, 'crit': ['exp']}).encode())}.{PARTS[1]}.{PARTS[2]}",
    "b64 false": f"Bearer {b64(json.dumps({**HEADER, 'b64': False}).encode())}.{PARTS[1]}.{PARTS[2]}",
    "zip": f"Bearer {token({'zip': 'DEF'})}",
    "cty": f"Bearer {token({'cty': 'JWT'})}",
    "padding": f"Bearer {PARTS[0]}=.{PARTS[1]}.{PARTS[2]}",
    "padded signature": f"Bearer {GOOD}==",
    "standard alphabet": f"Bearer {PARTS[0]}.{PARTS[1]}.{'+/' + PARTS[2][2:]}",
    "duplicate claim": f"Bearer {resigned(TWICE)}",
    "duplicate header member": f"Bearer {b64(TWO_ALGS)}.{PARTS[1]}.{PARTS[2]}",
    "claims are a list": f"Bearer {resigned(b'[1]')}",
    "claims are not UTF-8": f"Bearer {resigned(bytes([0xFF, 0xFE]))}",
    "claims with NaN": f"Bearer {resigned(json.dumps({**CLAIMS, 'exp': float('nan')}).encode())}",
    "claims nested deep": f"Bearer {resigned(DEEP)}",
    "truncated signature": f"Bearer {GOOD[:-6]}",
    "signature of another token": f"Bearer {PARTS[0]}.{PARTS[1]}.{token(jti='t2').split('.')[2]}",
    "zero signature": f"Bearer {PARTS[0]}.{PARTS[1]}.{b64(bytes(64))}",
    "DER signature": f"Bearer {PARTS[0]}.{PARTS[1]}.{b64(bytes.fromhex('3006020101020101'))}",
    "signature of 65 bytes": f"Bearer {PARTS[0]}.{PARTS[1]}.{b64(bytes(65))}",
    "swapped claims": f"Bearer {PARTS[0]}.{b64(json.dumps({**CLAIMS, 'role': 'prison'}).encode())}.{PARTS[2]}",
    "duplicate in payload only": f"Bearer {PARTS[0]}.{DUPLICATE}.{PARTS[2]}",
    "iss wrong": f"Bearer {token(iss='http://evil.test')}",
    "iss with slash": f"Bearer {token(iss=ISSUER + '/')}",
    "iss list": f"Bearer {token(iss=[ISSUER])}",
    "aud text": f"Bearer {token(aud=AUDIENCE)}",
    "aud wrong": f"Bearer {token(aud=['http://other.test'])}",
    "aud empty": f"Bearer {token(aud=[])}",
    "aud prefix": f"Bearer {token(aud=[AUDIENCE + '/x'])}",
    "expired": f"Bearer {token(exp=NOW - 60, iat=NOW - 600, nbf=NOW - 600)}",
    "not yet": f"Bearer {token(nbf=NOW + 600)}",
    "issued in the future": f"Bearer {token(iat=NOW + 600, exp=NOW + 900)}",
    "lives two hours": f"Bearer {token(exp=NOW + 7200)}",
    "exp before iat": f"Bearer {token(exp=NOW - 1, iat=NOW)}",
    "exp text": f"Bearer {token(exp=str(NOW + 60))}",
    "exp float": f"Bearer {token(exp=NOW + 60.5)}",
    "exp true": f"Bearer {token(exp=True)}",
    "exp huge": f"Bearer {token(exp=10**30)}",
    "exp negative": f"Bearer {token(exp=-1)}",
    **{f"{name} missing": f"Bearer {token(drop=name)}" for name in CLAIMS},
    "sub without officer": f"Bearer {token(sub='8001')}",
    "sub empty officer": f"Bearer {token(sub='officer:')}",
    "sub number": f"Bearer {token(sub=5)}",
    "act of another client": f"Bearer {token(act={'sub': 'client:c2'})}",
    "act with more": f"Bearer {token(act={'sub': 'client:c1', 'act': {}})}",
    "act text": f"Bearer {token(act='client:c1')}",
    "unknown role": f"Bearer {token(role='root')}",
    "role of another agency": f"Bearer {token(role='prison')}",
    "unknown agency": f"Bearer {token(agency='moon')}",
    "regions text": f"Bearer {token(regions='36')}",
    "regions with a wildcard": f"Bearer {token(regions=['%'])}",
    "regions empty text": f"Bearer {token(regions=[''])}",
    "regions twice": f"Bearer {token(regions=['36', '36'])}",
    "purposes text": f"Bearer {token(purposes='TAX_RELIEF')}",
    "purposes of numbers": f"Bearer {token(purposes=[1])}",
    "purposes too many": f"Bearer {token(purposes=[f'P{n}' for n in range(99)])}",
    "cases text": f"Bearer {token(cases='X')}",
    "jti empty": f"Bearer {token(jti='')}",
    "jti with control character": f"Bearer {token(jti='a' + chr(7))}",
    "client with blank": f"Bearer {token(client_id='c 1')}",
}  # fmt: skip


def test_the_hostile_set_is_large_enough():
    assert len(HOSTILE) >= 60


@pytest.mark.parametrize("name", list(HOSTILE))
def test_hostile_tokens_are_refused(name):
    with pytest.raises(UnauthenticatedError):
        verifier().verify(HOSTILE[name])


@settings(max_examples=300, deadline=None)
@given(position=st.integers(0, len(GOOD) - 1), character=st.characters(min_codepoint=32, max_codepoint=126))
def test_any_changed_character_is_refused(position, character):
    changed = GOOD[:position] + character + GOOD[position + 1 :]
    if changed != GOOD:
        with pytest.raises(UnauthenticatedError):
            verifier().verify(f"Bearer {changed}")


def test_a_remembered_token_still_expires():
    clock = FixedClock(datetime.fromtimestamp(NOW + 10, UTC))
    one = verifier(clock)
    one.verify(f"Bearer {GOOD}")
    clock.advance(3600 + 60)
    with pytest.raises(UnauthenticatedError):
        one.verify(f"Bearer {GOOD}")


def test_a_revoked_token_is_refused_even_if_remembered():
    revoked = set()
    one = verifier(is_revoked=revoked.__contains__)
    one.verify(f"Bearer {GOOD}")
    revoked.add("t1")
    with pytest.raises(UnauthenticatedError):
        one.verify(f"Bearer {GOOD}")


def test_a_token_of_a_disabled_client_is_refused_even_if_remembered():
    disabled = set()
    one = verifier(disabled=disabled)
    one.verify(f"Bearer {GOOD}")
    disabled.add("c1")
    with pytest.raises(UnauthenticatedError):
        one.verify(f"Bearer {GOOD}")
    disabled.clear()
    assert one.verify(f"Bearer {GOOD}").client == "c1"


def test_remembered_tokens_are_bounded():
    one = verifier(remembered=3)
    for number in range(10):
        one.verify(f"Bearer {token(jti=f't{number}')}")
    assert len(one._seen) == 3


def chain(*actors: object) -> object:
    """`act` with the current actor first, earlier ones inside it (RFC 8693, section 4.1)."""
    first, *earlier = actors
    return {"sub": first, "act": chain(*earlier)} if earlier else {"sub": first}


def test_an_officer_who_acts_for_another_is_the_officer_and_says_for_whom():
    found = verifier().verify(f"Bearer {token(act=chain('officer:8002'))}")
    assert (found.officer, found.on_behalf_of, found.client) == ("8002", "8001", "c1")
    assert found.is_behind("8001")
    assert found.is_behind("8003", "8002")
    assert not found.is_behind("8003", None, "")
    own = verifier().verify(f"Bearer {GOOD}")
    assert (own.on_behalf_of, own.is_behind("8001"), own.is_behind("8002")) == (None, True, False)


@pytest.mark.parametrize("current", ["client:c1", "officer:8002"])
def test_clients_that_handed_the_token_on_decide_nothing(current):
    earlier = [f"client:x{number}" for number in range(MAX_ACTORS - 1)]
    alone = verifier().verify(f"Bearer {token(act=chain(current))}")
    assert verifier().verify(f"Bearer {token(act=chain(current, *earlier))}") == alone


BAD_ACTORS = {
    "missing": None,
    "a text": "officer:8002",
    "a list": [chain("officer:8002")],
    "a number": 7,
    "empty": {},
    "without sub": {"act": chain("client:c1")},
    "sub is null": {"sub": None},
    "sub is a number": {"sub": 8002},
    "sub is empty": {"sub": ""},
    "sub with a blank": chain("officer:80 02"),
    "sub too long": chain("officer:" + "8" * 200),
    "no kind of actor": chain("8002"),
    "another kind of actor": chain("robot:8002"),
    "officer without number": chain("officer:"),
    "another client": chain("client:c2"),
    "the subject as deputy of itself": chain("officer:8001"),
    "an officer behind the client": chain("client:c1", "officer:8002"),
    "an officer behind the officer": chain("officer:8002", "officer:8003"),
    "nothing behind": {"sub": "client:c1", "act": {}},
    "null behind": {"sub": "client:c1", "act": None},
    "a text behind": {"sub": "client:c1", "act": "client:c2"},
    "other members": {"sub": "client:c1", "iss": ISSUER},
    "one too many": chain("client:c1", *(f"client:x{number}" for number in range(MAX_ACTORS))),
    "far too deep": chain(*["client:c1"] * 30),
}


@pytest.mark.parametrize("name", list(BAD_ACTORS))
def test_an_act_that_does_not_say_who_acts_is_an_error_of_its_own(name):
    act = BAD_ACTORS[name]
    given = token(drop="act") if act is None else token(act=act)
    with pytest.raises(ActorInvalidError) as found:
        verifier().verify(f"Bearer {given}")
    assert found.value.code == "ACTOR_INVALID"
    assert "8002" not in found.value.public


def test_the_tokens_of_the_documentation_are_taken():
    first, second = re.findall(r"```json\n(.*?)```", Path("docs/tokens.md").read_text("utf-8"), re.DOTALL)
    claims = json.loads(first)
    issued = datetime.fromtimestamp(claims["iat"] + 1, UTC)
    known = TokenVerifier(
        issuer=claims["iss"],
        audience=claims["aud"][0],
        keys=lambda: {"k1": KEY},
        agency_of={"judicial-office": "justice"},
        clock=FixedClock(issued),
    )
    own = known.verify(f"Bearer {sign(HEADER, claims)}")
    deputy = known.verify(f"Bearer {sign(HEADER, claims | json.loads(second))}")
    assert (own.officer, own.on_behalf_of) == ("2001", None)
    assert (deputy.officer, deputy.on_behalf_of) == ("2002", "2001")
