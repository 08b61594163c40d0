import pytest

from hub.errors import CatalogueError
from hub.gateway.merge import Choice
from hub.gateway.survivorship import RULES_FILE, read_survivorship
from tests.auth.parts import catalogue

LIVE = RULES_FILE.read_text("utf-8")


def rules(tmp_path, text):
    path = tmp_path / "survivorship.toml"
    path.write_text(text, "utf-8")
    return read_survivorship(catalogue(), path)


@pytest.mark.parametrize("by", list(Choice))
def test_whose_word_stands_is_a_rule_of_the_field(tmp_path, by):
    found = rules(tmp_path, LIVE.replace("[phone]", f'[phone]\nby = "{by}"'))
    assert found["phone"].choice is by
    assert found["name"].choice is Choice.TRUST


@pytest.mark.parametrize(
    ("text", "name"),
    [
        pytest.param(LIVE.replace("[phone]", '[phone]\nby = "loudest"'), "Person.phone", id="a choice that is none"),
        pytest.param(LIVE.replace('[phone]\nfrom = ["justice"]', '[phone]\nfrom = ["army"]'), "army", id="an agency"),
        pytest.param(LIVE.replace('[phone]\nfrom = ["justice"]', ""), "Person.phone", id="no rule"),
    ],
)
def test_rules_that_are_wrong_do_not_start(tmp_path, text, name):
    with pytest.raises(CatalogueError, match=name):
        rules(tmp_path, text)
