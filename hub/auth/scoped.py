"""The decision table of facts that hold for a part of the fields only: for each field the word of its own plain facts.

Pure, so that what an approval does not name stays denied whatever the rules say of approvals.
"""

from collections.abc import Callable

from hub.auth.decision import Decision, DecisionClass, DecisionTable, DenialCode, Effect
from hub.auth.facts import Facts, ScopedFacts
from hub.domain.catalogue import Catalogue, Field


def scoped_table(
    catalogue: Catalogue, decision_class: DecisionClass, facts: ScopedFacts, table_of: Callable[[Facts], DecisionTable]
) -> DecisionTable:
    """The table for `facts`, of at most four plain tables. A record is given if anything below it is.

    Cost: one look-up a coordinate; made once per class.
    """
    plain: dict[Facts, DecisionTable] = {}
    decisions: dict[str, Decision] = {}

    def leaf(field: Field) -> Decision:
        own = facts.within(field.coordinate, field.group)
        if own not in plain:
            plain[own] = table_of(own)
        return plain[own].decisions[field.coordinate]

    def decide(field: Field) -> Decision:
        kept = decisions.get(field.coordinate)
        if kept is None:
            kept = decisions[field.coordinate] = leaf(field) if field.record_type is None else _record(field)
        return kept

    def _record(field: Field) -> Decision:
        assert field.record_type is not None
        below = [decide(inner) for inner in catalogue.types[field.record_type].fields]
        if any(decision.effect is not Effect.DENIED for decision in below):
            return Decision(effect=Effect.FULL, policies=(), denial=None)
        codes = {decision.denial for decision in below}
        code = next((code for code in _ADVISED if code in codes), DenialCode.FIELD_DENIED)
        return Decision(effect=Effect.DENIED, policies=(), denial=code)

    ordered = {name: decide(field) for name, field in catalogue.fields.items()}
    digest = next(iter(plain.values())).policy_digest
    return DecisionTable(policy_digest=digest, decision_class=decision_class, decisions=ordered)


_ADVISED = (DenialCode.CASE_REQUIRED, DenialCode.CONSENT_REQUIRED, DenialCode.APPROVAL_REQUIRED)
