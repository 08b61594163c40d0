import re
from pathlib import Path

import pytest

from hub.crypto import sealing
from hub.crypto.envelope import Envelope, Place
from hub.crypto.keyring import KeyRing
from hub.crypto.opener import Opener
from hub.crypto.sealing import Sealer
from hub.crypto.suites import SUITES

DOC = Path(__file__).parent.parent.parent / "docs" / "envelope.md"
ROWS = re.findall(r"^\| ([A-Z0-9-]+) \| (yes|no) \| `([0-9a-f]+)` \|$", DOC.read_text("utf-8"), re.MULTILINE)
PLACE = Place(agency="justice", table="person", column="name", row="7")


def test_every_suite_has_its_vectors():
    assert [row[0] for row in ROWS] == [suite.name for suite in SUITES.values() for _ in range(2)]


@pytest.mark.parametrize(("name", "salted", "expected"), ROWS, ids=lambda value: value[:16])
def test_the_documented_vectors_are_what_is_sealed_and_opened(name, salted, expected, monkeypatch):
    monkeypatch.setattr(sealing, "os", type("Fixed", (), {"urandom": staticmethod(lambda n: bytes(range(n)))}))
    (suite,) = [suite for suite in SUITES.values() if suite.name == name]
    ring = KeyRing(keys={"seal:justice:3": {1: bytes(range(32))}}, suite=suite)
    salt = bytes(range(0x80, 0xA0)) if salted == "yes" else b""
    assert Sealer(ring).seal(PLACE, "李四", salt).hex() == expected
    assert Opener(ring).open(PLACE, bytes.fromhex(expected), salt) == "李四"
    envelope = Envelope.decode(bytes.fromhex(expected))
    assert (envelope.suite, envelope.sensitivity, envelope.key_version) == (suite.byte, 3, 1)
