"""Builds what links agencies' records to members, keeps the ledger of it and asks people."""

from dataclasses import dataclass

from hub.bootstrap.secrets import Secrets
from hub.clock import Clock
from hub.identity.account import Accounts
from hub.identity.ledger import Ledger
from hub.identity.linker import Linker
from hub.identity.matching.weights import Model, read_model
from hub.identity.orders import Orders
from hub.identity.placing import Placing
from hub.identity.reviews import Reviews
from hub.store.engine import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Linking:
    """Links: one record (`placing`), an import (`linker`), people's part (`reviews`, `orders`), what is told."""

    ledger: Ledger
    orders: Orders
    placing: Placing
    linker: Linker
    reviews: Reviews
    accounts: Accounts


def build_linking(store: Store, secrets: Secrets, clock: Clock, model: Model | None = None) -> Linking:
    """`model`: other match weights than those that are live.

    Raises:
        WeightsError: the file of weights is wrong.
    """
    sealer, opener = secrets.sealer, secrets.opener
    ledger = Ledger(
        store=store, sealer=sealer, opener=opener, keys=secrets.keys, matching=secrets.matching, clock=clock
    )
    orders = Orders(store=store, sealer=sealer, clock=clock)
    placing = Placing(
        store=store,
        sealer=sealer,
        opener=opener,
        ledger=ledger,
        orders=orders,
        matching=secrets.matching,
        model=model or read_model(),
        clock=clock,
    )
    return Linking(
        ledger=ledger,
        orders=orders,
        placing=placing,
        linker=Linker(store=store, opener=opener, ledger=ledger, orders=orders, placing=placing, erased=secrets.erased),
        reviews=Reviews(store=store, sealer=sealer, ledger=ledger, orders=orders, placing=placing, clock=clock),
        accounts=Accounts(store, clock),
    )
