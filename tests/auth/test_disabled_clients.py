import pytest

from hub.auth.disabled_clients import LOOK_EVERY_S, DisabledClients, read_disabled, switch_client
from hub.errors import SettingsError


def test_a_switched_client_is_seen_by_a_running_server_in_seconds(tmp_path, clock):
    file = tmp_path / "hub" / "clients-disabled"
    held = DisabledClients(file, clock)
    assert "demo-tax" not in held
    assert switch_client(file, "demo-tax", disabled=True)
    clock.advance(LOOK_EVERY_S)
    assert "demo-tax" in held
    assert "demo-prison" not in held
    assert switch_client(file, "demo-tax", disabled=False)
    clock.advance(LOOK_EVERY_S)
    assert "demo-tax" not in held


def test_a_switch_that_changes_nothing_says_so(tmp_path):
    file = tmp_path / "clients-disabled"
    assert not switch_client(file, "a", disabled=False)
    assert switch_client(file, "a", disabled=True)
    assert not switch_client(file, "a", disabled=True)
    assert read_disabled(file) == {"a"}


def test_a_damaged_file_enables_nobody_and_refuses_to_start(tmp_path, clock):
    file = tmp_path / "clients-disabled"
    switch_client(file, "demo-tax", disabled=True)
    held = DisabledClients(file, clock)
    file.write_text("two words\n")
    clock.advance(LOOK_EVERY_S)
    assert "demo-tax" in held
    with pytest.raises(SettingsError, match="clients-disabled"):
        DisabledClients(file, clock)


def test_what_is_no_client_id_is_refused(tmp_path):
    with pytest.raises(SettingsError, match="no client id"):
        switch_client(tmp_path / "file", "a\nb", disabled=True)
