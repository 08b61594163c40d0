"""A small catalogue and decision tables made by hand, for tests of the gateway's pure parts."""

from datetime import UTC, datetime, timedelta

from hub.auth.decision import Decision, DecisionClass, DecisionTable, DenialCode, Effect
from hub.auth.facts import Facts
from hub.domain.catalogue import Catalogue, Field, RecordType, Sensitivity, Shape, ValueType
from hub.gateway.merge import Claim

WHEN = datetime(2026, 11, 1, tzinfo=UTC)


def value(type_name: str, name: str, owner: str, *, mask: str | None = None, group: str = "FG1") -> Field:
    return _field(type_name, name, owner, Shape.VALUE, ValueType.STRING, None, mask, group)


def records(type_name: str, name: str, owner: str, record_type: str) -> Field:
    return _field(type_name, name, owner, Shape.RECORDS, None, record_type, None, "FG4")


def _field(type_name, name, owner, shape, value_type, record_type, mask, group) -> Field:
    return Field(
        type_name=type_name,
        name=name,
        shape=shape,
        value_type=value_type,
        code_list=None,
        record_type=record_type,
        owner=owner,
        group=group,
        facet="detail",
        sensitivity=Sensitivity.PERSONAL,
        mask=mask,
        sealed=False,
        indexed=False,
        zh="字段",
        en="field",
        file="toy.toml",
        line=1,
    )


def toy_catalogue() -> Catalogue:
    types = [
        _type("Person", None, None, value("Person", "name", "hub", mask="name"), value("Person", "phone", "hub")),
        _type(
            "JusticeRecord",
            "justice",
            "justice",
            value("JusticeRecord", "name", "justice", mask="name"),
            value("JusticeRecord", "phone", "justice"),
            records("JusticeRecord", "sentences", "justice", "Sentence"),
        ),
        _type("Sentence", None, None, value("Sentence", "court", "justice"), value("Sentence", "term", "justice")),
        _type("PoliceRecord", "police", "police", value("PoliceRecord", "name", "police", mask="name")),
        _type("TaxRecord", "tax", "tax", value("TaxRecord", "number", "tax", mask="identity-number")),
    ]
    fields = {field.coordinate: field for record in types for field in record.fields}
    return Catalogue(types={record.name: record for record in types}, fields=fields)


def _type(name: str, agency: str | None, person_field: str | None, *fields: Field) -> RecordType:
    return RecordType(name=name, agency=agency, person_field=person_field, fields=fields, zh="记录", en="record")


def table(default: Effect = Effect.FULL, **effects: Effect) -> DecisionTable:
    """Decisions for the toy catalogue; keyword names use `__` for the dot."""
    given = {name.replace("__", "."): effect for name, effect in effects.items()}
    return DecisionTable(
        policy_digest=repr(sorted(given.items())) + default,
        decision_class=DecisionClass(agency="tax", role="tax", purpose="TAX_RELIEF", facts=Facts()),
        decisions={name: _decision(given.get(name, default), name) for name in toy_catalogue().fields},
    )


def _decision(effect: Effect, name: str) -> Decision:
    denial = DenialCode.FIELD_DENIED if effect is Effect.DENIED else None
    return Decision(effect=effect, policies=(f"rule-{name}",), denial=denial)


def claim(agency: str, value: object, as_of: int = 0) -> Claim:
    """`as_of`: days after the day of all toys."""
    return Claim(agency=agency, value=value, as_of=WHEN + timedelta(days=as_of))
