"""Key-encryption keys outside the process: a PKCS#11 token (SoftHSM2), and Vault's transit engine.

Vault itself is not on this machine; `VaultStandIn` answers the two calls of its documented HTTP API that are used.
"""

import json
import os
import subprocess
import threading
from base64 import b64decode, b64encode
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from shutil import which

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from hub.bootstrap.secrets import build_provider
from hub.crypto.keystore import open_key_ring
from hub.crypto.pkcs11_provider import Pkcs11KeyProvider, Pkcs11Token
from hub.crypto.vault_provider import VaultKeyProvider
from hub.errors import KeyMaterialError, SettingsError
from hub.settings import Settings

SOFTHSM = next(
    (
        path
        for path in map(Path, ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/softhsm/libsofthsm2.so"))
        if path.exists()
    ),
    None,
)
PURPOSES = frozenset({"seal:tax:3", "index:name"})


@pytest.fixture(scope="module")
def token(tmp_path_factory) -> Pkcs11Token:
    if SOFTHSM is None or which("softhsm2-util") is None:
        pytest.skip("SoftHSM2 is not installed (Debian, as root: apt-get install softhsm2)")
    folder = tmp_path_factory.mktemp("softhsm")
    (folder / "tokens").mkdir()
    (folder / "softhsm2.conf").write_text(f"directories.tokendir = {folder / 'tokens'}\nobjectstore.backend = file\n")
    os.environ["SOFTHSM2_CONF"] = str(folder / "softhsm2.conf")
    subprocess.run(
        ["softhsm2-util", "--init-token", "--free", "--label", "hub", "--so-pin", "5678", "--pin", "1234"],
        check=True,
        capture_output=True,
    )
    return Pkcs11Token(module=SOFTHSM, token="hub", pin="1234", key="hub-kek")


class VaultStandIn(BaseHTTPRequestHandler):
    """POST /v1/transit/{encrypt,decrypt}/NAME as Vault 1.x answers it for a key of type aes256-gcm96."""

    key = AESGCM(bytes(range(32)))

    def do_PUT(self) -> None:
        sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        verb, name = self.path.removeprefix("/v1/transit/").split("/")
        if self.headers["X-Vault-Token"] != "s.test":
            return self._answer(403, {"errors": ["permission denied"]})
        if name != "hub-kek":
            return self._answer(400, {"errors": ["encryption key not found"]})
        bound = b64decode(sent["associated_data"])
        if verb == "encrypt":
            nonce = os.urandom(12)
            sealed = nonce + self.key.encrypt(nonce, b64decode(sent["plaintext"]), bound)
            data = {"ciphertext": "vault:v1:" + b64encode(sealed).decode(), "key_version": 1}
            return self._answer(200, {"data": data})
        try:
            raw = b64decode(sent["ciphertext"].removeprefix("vault:v1:"))
            plain = self.key.decrypt(raw[:12], raw[12:], bound)
        except (InvalidTag, ValueError):
            return self._answer(400, {"errors": ["cipher: message authentication failed"]})
        return self._answer(200, {"data": {"plaintext": b64encode(plain).decode()}})

    do_POST = do_PUT

    def _answer(self, status: int, body: dict) -> None:
        raw = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_: object) -> None:
        return None


@pytest.fixture
def vault_url():
    server = ThreadingHTTPServer(("127.0.0.1", 0), VaultStandIn)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(params=["pkcs11", "vault"])
def provider(request):
    if request.param == "pkcs11":
        one = Pkcs11KeyProvider(request.getfixturevalue("token"), create=True)
        yield one
        one.close()
    else:
        yield VaultKeyProvider(url=request.getfixturevalue("vault_url"), token="s.test", key="hub-kek")


def test_keys_wrapped_outside_open_again(tmp_path, provider):
    ring = open_key_ring(tmp_path, PURPOSES, create=True, provider=provider)
    assert open_key_ring(tmp_path, PURPOSES, create=False, provider=provider).keys == ring.keys
    assert not list(tmp_path.glob("kek.*"))
    for versions in ring.keys.values():
        for key in versions.values():
            assert b64encode(key) not in (tmp_path / "keys.json").read_bytes()


def test_a_key_wrapped_for_another_context_does_not_unwrap(provider):
    wrapped = provider.wrap("seal:tax:3/1", b"k" * 32)
    assert provider.unwrap("seal:tax:3/1", wrapped) == b"k" * 32
    with pytest.raises(KeyMaterialError):
        provider.unwrap("seal:tax:3/2", wrapped)


def test_altered_and_foreign_bytes_do_not_unwrap(provider):
    wrapped = bytearray(provider.wrap("a/1", b"k" * 32))
    wrapped[-3] ^= 1
    for raw in (bytes(wrapped), b"", b"x" * 60):
        with pytest.raises(KeyMaterialError):
            provider.unwrap("a/1", raw)


def test_the_key_of_the_token_cannot_be_read_out(token):
    import pkcs11

    one = Pkcs11KeyProvider(token, create=True)
    try:
        with pytest.raises(pkcs11.exceptions.PKCS11Error):
            one._kek[pkcs11.Attribute.VALUE]
        assert one._kek[pkcs11.Attribute.EXTRACTABLE] is False
    finally:
        one.close()


@pytest.mark.parametrize(
    "change", [{"pin": "9999"}, {"token": "other"}, {"key": "other"}, {"module": Path("/nowhere")}]
)
def test_a_token_that_does_not_open_refuses_to_start(token, change):
    named = {name: getattr(token, name) for name in ("module", "token", "pin", "key")}
    with pytest.raises(KeyMaterialError):
        Pkcs11KeyProvider(Pkcs11Token(**{**named, **change}), create=False)


@pytest.mark.parametrize("change", [{"token": "s.other"}, {"key": "other"}, {"url": "http://127.0.0.1:9"}])
def test_a_vault_that_refuses_or_is_away_refuses_to_start(vault_url, change):
    one = VaultKeyProvider(**{"url": vault_url, "token": "s.test", "key": "hub-kek", **change})
    with pytest.raises(KeyMaterialError):
        one.wrap("a/1", b"k" * 32)


def test_providers_are_chosen_by_settings(tmp_path, vault_url, token):
    (tmp_path / "token").write_text("s.test\n")
    (tmp_path / "pin").write_text("1234\n")
    vault = Settings(key_provider="vault", vault_url=vault_url, vault_token_file=tmp_path / "token")
    hsm = Settings(key_provider="pkcs11", pkcs11_module=token.module, pkcs11_pin_file=tmp_path / "pin")
    for chosen, kind in ((vault, VaultKeyProvider), (hsm, Pkcs11KeyProvider)):
        one = build_provider(chosen, create=True)
        assert isinstance(one, kind)
        assert one.unwrap("a/1", one.wrap("a/1", b"k" * 32)) == b"k" * 32


@pytest.mark.parametrize("kind", ["vault", "pkcs11"])
def test_a_provider_without_its_settings_refuses_to_start(kind):
    with pytest.raises(SettingsError, match="is needed with"):
        build_provider(Settings(key_provider=kind), create=False)


def test_a_passphrase_may_stand_in_a_file(tmp_path):
    (tmp_path / "pass").write_text("long one\n")
    named = Settings(data_dir=tmp_path, key_file=tmp_path / "pass")
    wrapped = build_provider(named, create=True).wrap("a/1", b"k" * 32)
    given = Settings(data_dir=tmp_path, key_passphrase="long one")
    assert build_provider(given, create=False).unwrap("a/1", wrapped) == b"k" * 32
    with pytest.raises(SettingsError, match="cannot be read"):
        build_provider(Settings(data_dir=tmp_path, key_file=tmp_path / "none"), create=False)
