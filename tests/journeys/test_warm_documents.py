"""Documents that clients are known to send are planned at start; one that does not fit keeps the hub from starting."""

import pytest
from graphql import parse, validate

from hub.bootstrap.build import build_hub
from hub.errors import SettingsError
from hub.settings import load_settings
from tests.fitting import view_of

GOOD = """
query A($n: String!) { person(lookup: {identityNumber: $n}) { name justice { releaseDate } } }
query B { viewer { role } }
"""


def settings(tmp_path, **documents: str):
    folder = tmp_path / "documents"
    folder.mkdir()
    for name, text in documents.items():
        (folder / f"{name}.graphql").write_text(text, "utf-8")
    return load_settings(data_dir=tmp_path, documents_dir=folder, demo=True)


async def test_every_operation_of_a_known_document_is_planned_before_it_is_asked_for(tmp_path):
    hub = build_hub(settings(tmp_path, good=GOOD))
    views = hub.service._views
    kept = views.of_role(hub.policies.current, agency="justice", role="prison").operations._known._kept
    assert {name for _, _, name in kept} == {"A", "B"}
    assert all(known.plans for known, _ in kept.values())
    roles = set(hub.rules.purposes.roles)
    assert len(views) == len(roles)
    fits = {role for role in roles if not validate(view_of(role), parse(GOOD))}
    assert 0 < len(fits) < len(roles)  # planned for each role that can send it, and for no other
    assert len({view for view, _, name in kept if name == "A"}) == len(fits)
    await hub.close()


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("{ person { name }", id="syntax"),
        pytest.param("{ nobody }", id="unknown field"),
        pytest.param(
            "{ a: viewer { role } " + " ".join(f"b{n}: viewer {{ role }}" for n in range(40)) + "}", id="cost"
        ),
    ],
)
def test_a_document_that_would_be_refused_keeps_the_hub_from_starting(tmp_path, text):
    with pytest.raises(SettingsError, match=r"HUB_DOCUMENTS_DIR: bad\.graphql"):
        build_hub(settings(tmp_path, bad=text))
