import os
import stat

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from hub.audit.signing import open_signer, read_key, replace_file
from hub.bootstrap.secrets import build_audit_signer
from hub.errors import KeyMaterialError
from hub.settings import load_settings


def test_a_key_is_made_once_and_only_its_owner_reads_it(tmp_path):
    first = open_signer(tmp_path / "keys" / "audit.pem", create=True)
    again = open_signer(tmp_path / "keys" / "audit.pem", create=False)
    assert first.key == again.key
    assert stat.S_IMODE(os.stat(tmp_path / "keys" / "audit.pem").st_mode) == 0o600
    assert read_key(str(tmp_path / "keys" / "audit.vkey")) == first.key == read_key(str(first.key))
    assert first.key.name.startswith("hub.local/audit/")


def test_without_demo_mode_a_missing_key_refuses_to_start(tmp_path):
    settings = load_settings(data_dir=tmp_path)
    with pytest.raises(KeyMaterialError, match="hub migrate"):
        build_audit_signer(settings)
    made = build_audit_signer(settings, create=True)
    assert build_audit_signer(settings).key == made.key
    named = load_settings(data_dir=tmp_path, audit_origin="log.example/a")
    assert build_audit_signer(named).key.name == "log.example/a"


@pytest.mark.parametrize("mode", [0o640, 0o604])
def test_a_key_that_others_may_read_is_refused(tmp_path, mode):
    path = tmp_path / "audit.pem"
    open_signer(path, create=True)
    path.chmod(mode)
    with pytest.raises(KeyMaterialError, match="0600"):
        open_signer(path, create=False)


def test_what_is_no_ed25519_key_is_refused(tmp_path):
    path = tmp_path / "audit.pem"
    other = generate_private_key(SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    for content in (b"nothing", other):
        replace_file(path, content, 0o600)
        with pytest.raises(KeyMaterialError):
            open_signer(path, create=False)


@pytest.mark.parametrize("text", ["", "nonsense", "a+b+c", "/no/such/file"])
def test_what_is_no_verifier_key_is_refused(text):
    with pytest.raises(KeyMaterialError):
        read_key(text)


def test_a_name_with_a_blank_is_refused(tmp_path):
    with pytest.raises(KeyMaterialError):
        open_signer(tmp_path / "audit.pem", name="a b", create=True)
