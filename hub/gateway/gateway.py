"""Decide, then fetch, then release: the one way from a question about people to what the asker may know of them.

All root fields of an operation are read together, so that an operation costs at most one call per agency whatever its
shape. Decisions are per person; what a person's decision denies is in no part of any call.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import product

from hub.auth.decision import DecisionClass, DecisionTable, DenialCode, Effect, Judge, Reach, knows_existence
from hub.auth.facts import Facts, ScopedFacts
from hub.auth.principal import Principal
from hub.auth.scoped import scoped_table
from hub.clock import Clock, today
from hub.connectors.base import Fetched, KeyKind, Layout, Moment
from hub.domain.identity_number import IdentityNumber
from hub.gateway.answering import Answering
from hub.gateway.compose import compose
from hub.gateway.fetching import Questions, ask_all, narrowed, uncounted
from hub.gateway.naming import Named, by_facts, counted
from hub.gateway.noting import Noted, all_denied, note
from hub.gateway.plan import ClassPlan, Planner
from hub.gateway.ports import People, Pseudonyms, Scope, Source
from hub.gateway.quota import PersonQuota
from hub.gateway.reading import Ask, AskAnswer, Asker, Denied, Page, PersonRef, PersonView, Reading
from hub.gateway.resolve import Resolver, member_ref
from hub.gateway.sight import EXISTENCE
from hub.gateway.view import ViewBuilder, newest
from hub.identity.index import IndexedMember, Inquiry

TOTAL = "PersonConnection.totalCount"
REGION = "Person.responsibleRegion"
SEX = ("Person.sex", "JusticeRecord.sex")  # what the filter by sex observes: the index holds what justice says
MAX_SCOPED = 256
"""Tables kept of facts that hold for a part of the fields only."""


class Gateway:
    def __init__(
        self,
        *,
        planner: Planner,
        resolver: Resolver,
        people: People,
        sources: Mapping[str, Source],
        questions: Questions,
        views: ViewBuilder,
        pseudonyms: Pseudonyms,
        quota: PersonQuota,
        members_only: frozenset[str],
        clock: Clock,
        answering: Answering,
        recipient_of: Callable[[Principal], str | None] = lambda _principal: None,
        remedy: Callable[[Judge, DecisionTable, str], str | None] = lambda _judge, _table, _coordinate: None,
    ) -> None:
        self._recipient_of = recipient_of
        self._planner = planner
        self._resolver = resolver
        self._people = people
        self._sources = sources
        self._questions = questions
        self._views = views
        self._pseudonyms = pseudonyms
        self._quota = quota
        self._keyed = frozenset(name for name, source in sources.items() if source.key_kind is KeyKind.OWN)
        self._natural = tuple(name for name in sources if name not in members_only)
        self._clock = clock
        self._remedy = remedy
        self._answering = answering
        self._scoped_tables: dict[DecisionClass, DecisionTable] = {}
        self._allowed_facts: dict[tuple[str, str, str, str, bool], frozenset[Facts]] = {}

    async def read(self, asker: Asker, asks: Sequence[Ask], reading: Reading) -> list[AskAnswer]:
        """Answer `asks` together and note in `reading` what was used, denied and given.

        Cost: one index statement for each kind of look-up and at most one call per agency (per 500 persons), for each
        time that is asked about.
        """
        moments = dict.fromkeys(ask.at for ask in asks)
        if len(moments) == 1:
            return await self._read(asker, asks, asks[0].at, reading)
        answers: dict[int, AskAnswer] = {}
        for at in moments:
            of_moment = {place: ask for place, ask in enumerate(asks) if ask.at == at}
            read = await self._read(asker, list(of_moment.values()), at, reading)
            answers.update(zip(of_moment, read, strict=True))
        return [answers[place] for place in range(len(asks))]

    async def _read(self, asker: Asker, asks: Sequence[Ask], at: Moment | None, reading: Reading) -> list[AskAnswer]:
        """Answer `asks`, all about one time. Who may see what is decided as of now, whatever the time."""
        principal = asker.principal
        reach = asker.judge.reach(agency=principal.agency, role=principal.role, purpose=asker.purpose)
        if reach is Reach.NOBODY:
            return [self._nobody(ask, reading) for ask in asks]
        through_registers = reach is Reach.REGISTERS
        inquiry = Inquiry(
            principal=principal,
            purpose=asker.purpose,
            cases=asker.cases,
            region=any(REGION in ask.coordinates for ask in asks),
            keys=any(self._planner.reachable(ask.coordinates) & self._keyed for ask in asks),
            consent=asker.judge.reads_consent(principal.role),
            approved=asker.judge.reads_approved(principal.role),
        )
        named = await self._name(inquiry, asker, asks, reading, through_registers=through_registers)
        refs = list({ref.key: ref for item in named for ref in item.refs if ref is not None}.values())
        tables = self._tables(asker, refs)
        visible = {ref.key for ref in refs if through_registers or knows_existence(tables[ref.facts])}
        await self._quota.spend(officer_of(principal), counted(named, visible))
        plans = [self._plans(asker, item, tables, visible, through_registers=through_registers) for item in named]
        keys = {ref.key: self._keys(ref) for ref in refs if ref.key in visible}
        fetched, layouts = await self._fetch(
            asker, named, plans, keys, at, reading, through_registers=through_registers
        )
        if through_registers:
            visible = {
                ref.key for ref in refs if ref.key in visible and self._registered(asker, ref.identity_number, fetched)
            }
            shown = {key for ref in visible for held in keys[ref].values() for key in held}
            fetched = {agency: narrowed(answer, shown) for agency, answer in fetched.items()}
        computing = {agency for of_item in plans for plan in of_item.values() for agency in plan.computing}
        fetched |= {agency: uncounted(fetched[agency]) for agency in computing & fetched.keys()}
        members = await self._composable(inquiry, named, plans, visible)
        answers = [
            AskAnswer(
                persons=self._views_of(asker, item, of_item, keys, fetched, layouts, members, visible), page=item.page
            )
            for item, of_item in zip(named, plans, strict=True)
        ]
        outsider = self._table(asker, Facts()).decisions[EXISTENCE].denial or DenialCode.FIELD_DENIED
        noted = [Noted(ask=item.ask, refs=item.refs, plans=of_item) for item, of_item in zip(named, plans, strict=True)]
        note(
            reading,
            noted,
            visible,
            fetched,
            None if through_registers else outsider,
            self._pseudonym,
            lambda facts: None if through_registers else tables[facts].held,  # nobody there: no rule was asked
            partial(self._remedy, asker.judge),
            partial(self._nothing_known, asker),
        )
        return answers

    def _nobody(self, ask: Ask, reading: Reading) -> AskAnswer:
        reading.denied.add(Denied(coordinate=f"Query.{ask.field}", code=DenialCode.FIELD_DENIED))
        return AskAnswer(persons=tuple(None for _ in ask.lookups))

    async def _name(
        self, inquiry: Inquiry, asker: Asker, asks: Sequence[Ask], reading: Reading, *, through_registers: bool
    ) -> list[Named]:
        lookups = list(dict.fromkeys(lookup for ask in asks for lookup in ask.lookups))
        find = self._resolver.registers if through_registers else self._resolver.members
        found = await find(inquiry, asker, lookups) if lookups else {}
        named: list[Named] = []
        for ask in asks:
            if ask.listing is None:
                named.append(Named(ask=ask, refs=[found.get(lookup) for lookup in ask.lookups], page=None))
            elif through_registers:
                reading.denied.add(Denied(coordinate=f"Query.{ask.field}", code=DenialCode.FIELD_DENIED))
                named.append(Named(ask=ask, refs=(), page=None))
            else:
                named.append(await self._list(inquiry, asker, ask))
        return named

    async def _list(self, inquiry: Inquiry, asker: Asker, ask: Ask) -> Named:
        assert ask.listing is not None
        listing = ask.listing
        scope = Scope(region=listing.region, sex=listing.sex)
        page = await self._people.page(
            inquiry,
            self._allowed(asker, by_sex=listing.sex is not None),
            region=listing.region,
            sex=listing.sex,
            first=listing.first,
            after=self._resolver.open_cursor(asker, scope, listing.after),
            offset=listing.offset,
            count=TOTAL in ask.coordinates,
        )
        return Named(
            ask=ask,
            refs=[member_ref(known) for known in page.members.values()],
            page=Page(
                total_count=page.total_count,
                has_next_page=page.has_next_page,
                cursors=self._cursors(asker, ask, scope, list(page.members)),
            ),
        )

    def _cursors(self, asker: Asker, ask: Ask, scope: Scope, members: Sequence[str]) -> tuple[str, ...]:
        if ask.coordinates & {"PersonEdge.cursor", "PageInfo.endCursor"}:
            return tuple(self._resolver.cursor(asker, scope, member) for member in members)
        return ("",) * len(members)

    def _allowed(self, asker: Asker, *, by_sex: bool) -> frozenset[Facts]:
        """Fact vectors under which all that shapes a list is given in full: only they may stand in it."""
        principal = asker.principal
        key = (asker.judge.edition, principal.agency, principal.role, asker.purpose, by_sex)
        allowed = self._allowed_facts.get(key)
        if allowed is None:
            needed = [EXISTENCE, *SEX] if by_sex else [EXISTENCE]
            vectors = [
                Facts(jurisdiction=jurisdiction, term=term, case=case, key_person=key_person, own=True)
                for jurisdiction, term, case, key_person in product((False, True), repeat=4)
            ]
            allowed = self._allowed_facts[key] = frozenset(
                facts
                for facts in vectors
                if all(self._table(asker, facts).decisions[name].effect is Effect.FULL for name in needed)
            )
        return allowed

    def _table(self, asker: Asker, facts: Facts) -> DecisionTable:
        principal = asker.principal
        if isinstance(facts, ScopedFacts):
            return self._scoped(asker, facts)
        return asker.judge.table(
            DecisionClass(agency=principal.agency, role=principal.role, purpose=asker.purpose, facts=facts)
        )

    def _scoped(self, asker: Asker, facts: ScopedFacts) -> DecisionTable:
        """What an approval or a consent does not cover stays as it is without."""
        principal = asker.principal
        asked = DecisionClass(agency=principal.agency, role=principal.role, purpose=asker.purpose, facts=facts)
        table = self._scoped_tables.get(asked)
        if table is None or table.edition != asker.judge.edition:
            table = scoped_table(self._planner.catalogue, asked, facts, lambda plain: self._table(asker, plain))
            self._scoped_tables[asked] = table
            if len(self._scoped_tables) > MAX_SCOPED:
                self._scoped_tables.pop(next(iter(self._scoped_tables)))
        return table

    def _tables(self, asker: Asker, refs: Sequence[PersonRef]) -> dict[Facts, DecisionTable]:
        return {facts: self._table(asker, facts) for facts in {ref.facts for ref in refs}}

    def _plans(
        self,
        asker: Asker,
        item: Named,
        tables: Mapping[Facts, DecisionTable],
        visible: set[str],
        *,
        through_registers: bool,
    ) -> dict[Facts, ClassPlan]:
        """A plan for every class of visible persons of one ask."""
        classes = {ref.facts for ref in item.refs if ref is not None and ref.key in visible}
        return {
            facts: self._planner.plan(
                tables[facts],
                item.ask.coordinates,
                through_registers=through_registers,
                together=asker.together,
                recipient=self._recipient_of(asker.principal),
            )
            for facts in classes
        }

    async def _fetch(
        self,
        asker: Asker,
        named: Sequence[Named],
        plans: Sequence[Mapping[Facts, ClassPlan]],
        keys: Mapping[str, Mapping[str, tuple[str, ...]]],
        at: Moment | None,
        reading: Reading,
        *,
        through_registers: bool,
    ) -> tuple[dict[str, Fetched], dict[str, Layout]]:
        wanted: dict[str, dict[str, frozenset[str]]] = {}
        asked: dict[str, set[str]] = {}
        registers = self._registers(asker) if through_registers else ()
        for item, of_item in zip(named, plans, strict=True):
            for facts, group in by_facts(item.refs, keys).items():
                fetches = {agency: share.fetch for agency, share in of_item[facts].agencies.items()}
                for agency in registers:
                    fetches.setdefault(agency, frozenset())
                for agency, fetch in fetches.items():
                    asked.setdefault(agency, set()).update(group)
                    by_key = wanted.setdefault(agency, {})
                    for held in [keys[person].get(agency, ()) for person in group]:
                        for key in held:
                            before = by_key.setdefault(key, fetch)
                            if before is not fetch:
                                by_key[key] = before | fetch
        for agency, persons in asked.items():
            reading.asked[agency] = reading.asked.get(agency, 0) + len(persons)
        questions = {agency: self._questions.fetch(agency, by_key, at) for agency, by_key in wanted.items()}
        layouts = {agency: question.layout for agency, question in questions.items()}
        return await ask_all(self._sources, questions, self._clock.now), layouts

    def _keys(self, ref: PersonRef) -> Mapping[str, tuple[str, ...]]:
        """The keys to ask each agency with; a register role's person is asked for by identity number alone."""
        if ref.known is not None:
            return ref.known.member.keys
        assert ref.identity_number is not None
        return dict.fromkeys(self._natural, (ref.identity_number,))

    def _registers(self, asker: Asker) -> Iterable[str]:
        """Whose register says that a person exists: the asker's own, else every one that is not membership itself."""
        own = asker.principal.agency
        return (own,) if own in self._sources else self._natural

    def _registered(self, asker: Asker, number: str | None, fetched: Mapping[str, Fetched]) -> bool:
        return any(number in fetched[agency].records for agency in self._registers(asker) if agency in fetched)

    async def _composable(
        self,
        inquiry: Inquiry,
        named: Sequence[Named],
        plans: Sequence[Mapping[Facts, ClassPlan]],
        visible: set[str],
    ) -> dict[str, IndexedMember]:
        """Members behind the persons for whom a composed field was granted, by the persons' keys."""
        wanted = {
            ref.key: ref
            for item, of_item in zip(named, plans, strict=True)
            for ref in item.refs
            if ref is not None and ref.key in visible and of_item[ref.facts].composed
        }
        found = {key: ref.known.member for key, ref in wanted.items() if ref.known is not None}
        behind = {ref.identity_number: key for key, ref in wanted.items() if ref.known is None}
        if behind:
            numbers = [IdentityNumber(number) for number in behind if number is not None]
            for number, known in (await self._people.find(inquiry, numbers)).items():
                found[behind[number]] = known.member
        return found

    def _views_of(
        self,
        asker: Asker,
        item: Named,
        plans: Mapping[Facts, ClassPlan],
        keys: Mapping[str, Mapping[str, tuple[str, ...]]],
        fetched: Mapping[str, Fetched],
        layouts: Mapping[str, Layout],
        members: Mapping[str, IndexedMember],
        visible: set[str],
    ) -> list[PersonView | None]:
        bound = {facts: self._questions.bind(plan, layouts) for facts, plan in plans.items()}
        answers = {facts: [fetched.get(agency) for agency in plan.agencies] for facts, plan in bound.items()}
        views: list[PersonView | None] = []
        for ref in item.refs:
            if ref is None or ref.key not in visible:
                views.append(None)
                continue
            mine = bound[ref.facts]
            held = keys[ref.key]
            records = [
                newest(answer, held.get(agency, ()))
                for agency, answer in zip(mine.agencies, answers[ref.facts], strict=True)
            ]
            view = self._views.build(asker, ref, mine, records, fetched)
            if item.ask.at is not None:  # what the hub itself tells, it tells of now
                view.predicates = [None] * len(mine.plan.predicates)
                view.composed = [None] * len(mine.plan.composed)
                views.append(view)
                continue
            if mine.plan.predicates:
                view.predicates = self._answering.answers(asker, ref, mine, records, fetched, today(self._clock))
            if mine.plan.composed:
                values = compose(mine.plan.composed, members.get(ref.key), today(self._clock))
                view.composed = [values[name] for name in mine.plan.composed]
            views.append(view)
        return views

    def _nothing_known(self, asker: Asker, coordinates: frozenset[str]) -> None:
        """The work that a person who is there but not the asker's costs, for one who is not there."""
        table = self._table(asker, Facts())
        knows_existence(table)
        all_denied(coordinates, table.held)
        self._pseudonyms.of("number", "")

    def _pseudonym(self, ref: PersonRef) -> str:
        if ref.identity_number is not None:
            return self._pseudonyms.of("number", ref.identity_number)
        assert ref.known is not None
        return self._pseudonyms.of("member", ref.known.member.member_id)


def officer_of(principal: Principal) -> str:
    """Whose quota a request counts against."""
    return f"{principal.client}/{principal.officer}"
