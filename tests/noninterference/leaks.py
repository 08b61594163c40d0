"""Leaks to plant: each undoes one protection at the place where the program has it, so that the property must fail.

A leak is a function that patches real code; nothing of it exists outside tests.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import pytest
from sqlalchemy import true

from hub.auth.decision import Decision, DenialCode, Effect
from hub.auth.facts import Facts
from hub.casework import queries
from hub.connectors.base import SourceState
from hub.errors import RequestError
from hub.events.outbox import Feed
from hub.gateway import answering, gateway, plan, view
from hub.gateway.reading import Denied, SourceUse
from hub.gateway.release import Releaser
from hub.gateway.resolve import Resolver
from hub.identity import importer, index, statements
from hub.identity.index import PersonIndex
from hub.schema.access import AccessDesk
from tests.noninterference.harness import Shop
from tests.noninterference.operations import KINDS, OF_PERSONS
from tests.noninterference.values import Value
from tests.noninterference.worlds import person_id_of

OFFICES = ("judicial-office", "county-office")
REGISTERS = ("tax", "social-security", "civil-affairs")
FULL = Decision(effect=Effect.FULL, policies=(), denial=None)


@dataclass(frozen=True)
class Leak:
    plant: Callable[[pytest.MonkeyPatch, Shop], None]
    roles: Sequence[str]
    kinds: Sequence[str] = KINDS  # of operations that the examples are drawn from

    @property
    def name(self) -> str:
        return self.plant.__name__


LISTS = ("people",)

LEAKS: list[Leak] = []


def leak(*roles: str, kinds: Sequence[str] = KINDS) -> Callable[[Any], Any]:
    """Registers a leak with the roles whose view shows it."""

    def register(plant: Any) -> Any:
        LEAKS.append(Leak(plant, roles, kinds))
        return plant

    return register


def around(patch: pytest.MonkeyPatch, owner: Any, name: str, after: Callable[..., Any]) -> None:
    """Let `after(result, *arguments)` change what an asynchronous method answers."""
    real = getattr(owner, name)

    async def changed(*arguments: Any, **named: Any) -> Any:
        return after(await real(*arguments, **named), *arguments)

    patch.setattr(owner, name, changed)


def hidden_of(shop: Shop, member: str) -> str:
    """What justice holds of a member's health."""
    for slot, human in enumerate(shop.world.humans):
        if person_id_of(slot) == member and "justice" in human.records:
            value = human.records["justice"].rows["health"]
            return f"{value.shown}{value.hidden}" if isinstance(value, Value) else "-"
    return "-"


# -- what is fetched and released


@leak(*OFFICES)
def a_denied_field_is_released(patch, shop):
    patch.setattr(plan.Planner, "_decision", lambda self, table, name, shut, recipient: FULL)


@leak(*OFFICES)
def a_denied_field_is_fetched(patch, shop):
    real = plan.Planner._tree

    def tree(self, record, asked, fetch, leaving):
        fetch.update(field.coordinate for field in record.fields if field.coordinate in asked)
        return real(self, record, asked, fetch, leaving)

    patch.setattr(plan.Planner, "_tree", tree)


@leak(*OFFICES)
def a_denied_list_shows_its_length(patch, shop):
    real = plan.Planner._decision

    def decision(self, table, name, shut, recipient):
        return FULL if self._catalogue.fields[name].record_type else real(self, table, name, shut, recipient)

    patch.setattr(plan.Planner, "_decision", decision)


@leak("county-office", "province-office")
def a_mask_is_forgotten(patch, shop):
    real = Releaser.conversion
    patch.setattr(
        Releaser, "conversion", lambda self, node: real(self, plan.ReleaseNode(
            name=node.name, coordinate=node.coordinate, mask=None, many=node.many, children=node.children)),
    )  # fmt: skip


@leak(*REGISTERS)
def composed_fields_are_given_whatever_was_decided(patch, shop):
    real = plan.Planner._composed
    patch.setattr(plan.Planner, "_composed", lambda self, asked: real(self, dict.fromkeys(asked, FULL)))


@leak("judicial-office", "police-station")
def plans_are_cached_without_the_decision(patch, shop):
    kept: dict[Any, Any] = {}
    real = plan.Planner.plan

    def cached(self, table, coordinates, **way):
        key = (table.decision_class.role, coordinates)
        if key not in kept:
            kept[key] = real(self, table, coordinates, **way)
        return kept[key]

    patch.setattr(plan.Planner, "plan", cached)


@leak("bank", "civil-affairs", "medical-insurance", "social-security", kinds=OF_PERSONS)
def a_count_tells_of_what_an_answer_is_computed_of(patch, shop):
    patch.setattr(gateway, "uncounted", lambda answer: answer)


@leak("medical-insurance")
def a_former_member_is_answered_other_than_a_stranger(patch, shop):
    real = gateway.compose
    patch.setattr(
        gateway, "compose", lambda fields, member, day: real(fields, member, day) if member else dict.fromkeys(fields)
    )


@leak("bank", "tax", "market-supervision", "province-office")
def the_basis_of_an_answer_holds_what_it_is_computed_of(patch, shop):
    real = answering.answer

    def answer(predicate, known, day):
        found = real(predicate, known, day)
        held = str([known.value(name) for name in (*predicate.flat, *predicate.nested)])
        return found and (replace(found[0], basis=f"{found[0].basis} {held}"), found[1])

    patch.setattr(answering, "answer", answer)


@leak(*OFFICES, "police-station", kinds=("explained",))
def an_explanation_tells_who_is_a_member(patch, shop):
    real = AccessDesk._nobody

    def nobody(self, context, name):
        members = sum(human.membership is not None for human in shop.world.humans)
        return replace(real(self, context, name), explanation=f"{members}")

    patch.setattr(AccessDesk, "_nobody", nobody)


# -- conflicts, freshness, sources, cost


@leak("province-office", "county-office", "tax")
def conflicts_are_found_in_what_masks_hide(patch, shop):
    patch.setattr(view, "_differs", lambda _item, merged: merged.conflicting)


@leak(*REGISTERS)
def freshness_tells_of_records_of_nobody(patch, shop):
    patch.setattr(gateway, "narrowed", lambda answer, keys: answer)


@leak(*REGISTERS)
def sources_name_the_register_of_members(patch, shop):
    real = gateway.note

    def note(reading, noted, *rest):
        real(reading, noted, *rest)
        if any(human.membership for human in shop.world.humans[:2]):
            reading.sources["justice"] = SourceUse(agency="justice", state=SourceState.OK, as_of=None, latency_ms=0)

    patch.setattr(gateway, "note", note)


@leak(*OFFICES)
def cost_counts_persons_who_are_not_theirs(patch, shop):
    real = gateway.note

    def note(reading, noted, *rest):
        real(reading, noted, *rest)
        found = sum(ref is not None for item in noted for ref in item.refs)
        reading.asked["justice"] = reading.asked.get("justice", 0) + found

    patch.setattr(gateway, "note", note)


@leak("judicial-office", "prison")
def denials_stand_only_for_who_is_there(patch, shop):
    real = gateway.note

    def note(reading, noted, *rest):
        real(reading, noted, *rest)
        for item in noted:
            if all(ref is None for ref in item.refs):
                reading.denied -= {one for one in reading.denied if one.coordinate == f"Query.{item.ask.field}"}

    patch.setattr(gateway, "note", note)


# -- who is there at all


class NotYoursError(RequestError):
    code = "FORBIDDEN"
    public = "This person is not yours."


@leak(*OFFICES)
def not_yours_is_another_error_than_unknown(patch, shop):
    def refuse(found, *_):
        if any(not ref.facts.jurisdiction for ref in found.values()):
            raise NotYoursError("not yours")
        return found

    around(patch, Resolver, "members", refuse)


@leak("judicial-office", "county-office", "police-station")
def the_quota_counts_members_only(patch, shop):
    def counted(named, visible):
        return (ref.key for item in named for ref in item.refs if ref is not None)

    patch.setattr(gateway, "counted", counted)


@leak(*REGISTERS)
def facts_of_membership_decide_for_registers(patch, shop):
    patch.setattr(index, "_register_facts", lambda row, number, standing: Facts(own=True, case=row is not None))


@leak(*REGISTERS)
def a_case_of_any_agency_names_its_person(patch, shop):
    patch.setattr(statements, "assigned", lambda regions, named: named)


@leak(*REGISTERS)
def denials_tell_members_from_others(patch, shop):
    real = gateway.note

    def note(reading, noted, *rest):
        real(reading, noted, *rest)
        if any(human.membership is not None and human.membership.vaulted for human in shop.world.humans):
            reading.denied.add(Denied(coordinate="Query.person", code=DenialCode.FIELD_DENIED))

    patch.setattr(gateway, "note", note)


# -- cases


@leak(*OFFICES, "police-station", kinds=("lists",))
def cases_of_other_regions_are_listed(patch, shop):
    patch.setattr(queries, "_within", lambda column, prefixes: true())


@leak(*OFFICES, "police-station", kinds=("lists",))
def events_of_other_offices_are_told(patch, shop):
    real = Feed.after

    async def after(self, position, *, recipient, regions, first):
        return await real(self, position, recipient=recipient, regions=None, first=first)

    patch.setattr(Feed, "after", after)


# -- lists


def page_with(patch: pytest.MonkeyPatch, change: Callable[[Any], Any]) -> None:
    around(patch, PersonIndex, "page", lambda page, *_: change(page))


@leak(*OFFICES, kinds=LISTS)
def the_total_counts_everybody(patch, shop):
    def change(page):
        members = sum(human.membership is not None for human in shop.world.humans)
        return page if page.total_count is None else msgspec.structs.replace(page, total_count=members)

    page_with(patch, change)


@leak(*OFFICES, kinds=LISTS)
def a_next_page_is_announced_for_hidden_rows(patch, shop):
    def change(page):
        members = sum(human.membership is not None for human in shop.world.humans)
        return msgspec.structs.replace(page, has_next_page=members > len(page.members))

    page_with(patch, change)


@leak(*OFFICES, kinds=LISTS)
def order_follows_a_hidden_field(patch, shop):
    def change(page):
        ordered = sorted(page.members, key=lambda member: hidden_of(shop, member))
        return msgspec.structs.replace(page, members={member: page.members[member] for member in ordered})

    page_with(patch, change)


@leak(*OFFICES, kinds=LISTS)
def a_cursor_carries_the_value_it_sorts_by(patch, shop):
    real = Resolver.cursor
    patch.setattr(
        Resolver,
        "cursor",
        lambda self, asker, scope, member: f"{hidden_of(shop, member)}.{real(self, asker, scope, member)}",
    )


@leak("judicial-office", kinds=LISTS)
def a_hidden_sex_can_be_filtered_by(patch, shop):
    real = gateway.Gateway._allowed
    patch.setattr(gateway.Gateway, "_allowed", lambda self, asker, *, by_sex: real(self, asker, by_sex=False))


@leak("judicial-office", "county-office", "police-station", kinds=LISTS)
def vaulted_persons_are_counted(patch, shop):
    real = importer.offices_of
    patch.setattr(importer, "offices_of", lambda row, record: real({**row, "vaulted": False}, record))


@leak("judicial-office", "police-station", kinds=LISTS)
def a_region_of_others_can_be_listed(patch, shop):
    patch.setattr(index, "_leading", lambda mine, region: ((region,) if region else mine, False))


@leak("judicial-office", "county-office", kinds=LISTS)
def offsets_count_hidden_rows(patch, shop):
    real = PersonIndex.page

    async def page(self, inquiry, allowed, **given):
        unseen = sum(human.membership is None for human in shop.world.humans)
        return await real(self, inquiry, allowed, **{**given, "offset": given["offset"] + unseen % 2})

    patch.setattr(PersonIndex, "page", page)
