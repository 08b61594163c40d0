"""Only what an agency's mapping allows may be copied, and only what can be copied well may be allowed."""

import pytest

from hub.bootstrap.replicas import copied_modes
from hub.connectors.mapping import Mode, ReplicaTerms
from hub.connectors.mapping_reader import MAPPINGS_DIR, read_mappings
from hub.connectors.registry import Endpoint, mode_of
from hub.errors import MappingError, SettingsError
from tests.auth.parts import catalogue, read_codes
from tests.connectors.replica.parts import CIVIL, POLICE, rules

CODES = read_codes()
ALLOWS = 'allows = ["replica", "fallback"]\n'


def read(folder, agency: str, *changes: tuple[str, str]):
    text = (MAPPINGS_DIR / f"{agency}.toml").read_text("utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    (folder / f"{agency}.toml").write_text(text, "utf-8")
    return read_mappings(catalogue(), CODES, [folder])[agency]


def allowing(text: str) -> tuple[str, str]:
    return "[index]", f"[replica]\n{text}\n[index]"


def test_without_a_word_of_its_own_no_agency_is_copied():
    for agency, mapping in rules().mappings.items():
        assert mapping.mode is Mode.LIVE
        assert bool(mapping.replica.allows) is (agency in (POLICE, CIVIL))


def test_a_mapping_says_how_its_agency_may_be_copied(tmp_path):
    terms = "every_s = 60\nwhole_every_s = 3600\nfresh_for_s = 7200\nusable_for_s = 86400\nmost_gone_percent = 5\n"
    mapping = read(tmp_path, POLICE, (ALLOWS, 'allows = ["fallback"]\n' + terms))
    assert mapping.replica == ReplicaTerms(
        allows=frozenset({Mode.FALLBACK}),
        every_s=60,
        whole_every_s=3600,
        fresh_for_s=7200,
        usable_for_s=86400,
        most_gone_percent=5,
    )


@pytest.mark.parametrize(
    ("agency", "change", "error"),
    [
        pytest.param(POLICE, (ALLOWS, 'allows = ["live"]\n'), "list of replica and fallback", id="live"),
        pytest.param(POLICE, (ALLOWS, 'allows = "replica"\n'), "list of replica and fallback", id="no list"),
        pytest.param(POLICE, (ALLOWS, ALLOWS + "often = 1\n"), "unknown key often", id="unknown key"),
        pytest.param(POLICE, (ALLOWS, ALLOWS + "every_s = 0\n"), "every_s", id="never"),
        pytest.param(POLICE, (ALLOWS, ALLOWS + "most_gone_percent = 101\n"), "most_gone_percent", id="over all"),
        pytest.param(POLICE, ('kind = "sql"', 'kind = "sql"\nmode = "copy"'), "unknown mode copy", id="unknown mode"),
        pytest.param(POLICE, ('"replica", "fallback"', '"fallback"'), None, id="allowed"),
        pytest.param("justice", allowing(ALLOWS), "sealed by law are not copied", id="vaulted"),
        pytest.param("tax", allowing(ALLOWS), "only a SQL source or a file drop", id="rest"),
        pytest.param(POLICE, ("[index]", "[offices]"), r"needs \[index\]", id="no scan"),
        pytest.param(POLICE, ("%Y%m%d%H%M%S", "%d.%m.%Y"), "do not sort", id="time stamps"),
    ],
)
def test_what_cannot_be_copied_well_does_not_start(tmp_path, agency, change, error):
    if error is None:
        assert read(tmp_path, agency, change).replica.allows == {Mode.FALLBACK}
        return
    with pytest.raises(MappingError, match=error):
        read(tmp_path, agency, change)


@pytest.mark.parametrize(
    ("agency", "mode", "error"),
    [
        pytest.param(POLICE, None, None, id="as its mapping says"),
        pytest.param(POLICE, "live", None, id="live"),
        pytest.param("tax", "live", None, id="live anywhere"),
        pytest.param(POLICE, "fallback", None, id="fallback"),
        pytest.param("tax", "replica", "does not allow mode replica", id="not allowed"),
        pytest.param("justice", "fallback", "does not allow mode fallback", id="not allowed as fallback"),
        pytest.param(POLICE, "copy", "unknown mode copy", id="unknown"),
    ],
)
def test_a_deployment_chooses_among_what_is_allowed(agency, mode, error):
    endpoint = Endpoint(agency=agency, url="sqlite+aiosqlite:///x", mode=mode)
    if error is None:
        assert mode_of(rules().mappings[agency], endpoint) == (mode or "live")
        return
    with pytest.raises(SettingsError, match=error):
        mode_of(rules().mappings[agency], endpoint)


def test_only_agencies_that_are_not_live_are_copied():
    endpoints = {
        agency: Endpoint(agency=agency, url="sqlite+aiosqlite:///x", mode=mode)
        for agency, mode in ((POLICE, "fallback"), (CIVIL, None), ("tax", "live"))
    }
    assert copied_modes(rules().mappings, endpoints) == {POLICE: Mode.FALLBACK}
