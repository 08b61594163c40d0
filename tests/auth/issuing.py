"""A stand-in for an issuer that is not the hub: metadata, keys, codes with PKCE, over HTTP. It asks nobody who they are."""

import secrets
import time
from contextlib import asynccontextmanager

from aiohttp import web
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from joserfc import jwt
from joserfc.jwk import ECKey


class StandIn:
    """`claims`: what its tokens say beside times; `metadata` and `keys` may be changed by a test."""

    def __init__(self, audience, **claims):
        self.audience = audience
        self.claims = claims
        self.key = ECKey.generate_key("P-256")
        self.keys = [self.public(self.key)]
        self.codes = {}
        self.asked = []
        self.url = ""
        self.metadata = {}

    @staticmethod
    def public(key, **more):
        return {**key.as_dict(private=False), "kid": key.thumbprint(), "use": "sig", **more}

    def token(self, **changes):
        now = int(time.time())
        claims = {
            "iss": self.url,
            "aud": [self.audience],
            "jti": secrets.token_hex(8),
            "iat": now,
            "nbf": now,
            "exp": now + 600,
            **self.claims,
            **changes,
        }
        return jwt.encode({"alg": "ES256", "typ": "at+jwt", "kid": self.key.thumbprint()}, claims, self.key)

    @asynccontextmanager
    async def serving(self, port=0):
        app = web.Application()
        app.router.add_get("/.well-known/oauth-authorization-server", self._metadata)
        app.router.add_get("/jwks", self._jwks)
        app.router.add_get("/authorize", self._authorize)
        app.router.add_post("/token", self._token)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", port)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        places = {"jwks_uri": "/jwks", "authorization_endpoint": "/authorize", "token_endpoint": "/token"}
        self.metadata = {"issuer": self.url, **{name: self.url + path for name, path in places.items()}}
        try:
            yield self
        finally:
            await runner.cleanup()

    async def _metadata(self, _request):
        return web.json_response(self.metadata)

    async def _jwks(self, _request):
        return web.json_response({"keys": self.keys})

    async def _authorize(self, request):
        asked = dict(request.query)
        code = secrets.token_urlsafe(16)
        self.codes[code] = asked
        raise web.HTTPFound(f"{asked['redirect_uri']}?code={code}&state={asked['state']}")

    async def _token(self, request):
        form = dict(await request.post())
        self.asked.append(form)
        asked = self.codes.pop(form.get("code"), None)
        proof = form.get("code_verifier", "")
        if asked is None or create_s256_code_challenge(proof) != asked["code_challenge"]:
            return web.json_response({"error": "invalid_grant"}, status=400)
        return web.json_response({"access_token": self.token(), "token_type": "Bearer"})
