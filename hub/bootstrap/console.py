"""Builds the auditors' console."""

from collections.abc import Mapping
from typing import Any

from hub.auditing.sessions import Sessions
from hub.auth.code_grant import CodeIssuer
from hub.auth.issuer import TokenEndpoint
from hub.auth.judge import CedarJudge
from hub.auth.matrix import render_matrix
from hub.auth.token import TokenVerifier
from hub.bootstrap.parts import Hub
from hub.errors import UnauthenticatedError
from hub.rules import POLICIES_DIR
from hub.web.app import ASSETS
from hub.web.console.front import Console, ConsoleParts
from hub.web.console.pages import Pages


def build_console(hub: Hub, verifier: TokenVerifier, endpoint: TokenEndpoint) -> Console:
    settings, rules = hub.settings, hub.rules

    remote = hub.remote_issuer

    async def exchange(form: Mapping[str, str]) -> Mapping[str, Any]:
        if remote is not None:
            return await remote.exchange(form)
        status, _, body = endpoint.answer(form, {})
        if status != 200:
            raise UnauthenticatedError("the issuer refuses the code")
        return body

    def authorize() -> str:
        return f"{settings.issuer_url}/oauth/authorize" if remote is None else remote.authorization_endpoint

    codes = None
    if settings.demo and remote is None:
        codes = CodeIssuer(
            endpoint,
            hub.issuer_key,
            hub.clock,
            redirect_uri=f"{settings.base_url}/console/callback",
            personas=rules.personas,
        )
    agencies = sorted({role.agency for role in rules.purposes.roles.values()})
    return Console(
        ConsoleParts(
            pages=Pages(
                office=hub.office,
                clock=hub.clock,
                key=hub.checkpoints.key,
                digest=lambda: hub.policies.current.policy_digest,
                matrix=lambda: _matrix(hub),
            ),
            sessions=Sessions(hub.store, hub.clock),
            log=hub.log,
            verifier=verifier,
            exchange=exchange,
            codes=codes,
            authorize=authorize,
            base_url=settings.base_url,
            options={"agencies": agencies, "purposes": sorted(rules.purposes.purposes)},
            assets=ASSETS,
        )
    )


def _matrix(hub: Hub) -> str:
    """The matrix of the rules in force: as it stands beside those of the tree; of others it is made, in a minute."""
    judge, tree = hub.policies.current, hub.rules.judge
    if hub.settings.plugins_dir is None and judge.policy_digest == tree.policy_digest:
        return (POLICIES_DIR / "matrix.md").read_text("utf-8")
    own = CedarJudge(judge.bundle, hub.rules.catalogue, judge.purposes)  # one is not shared between threads
    return render_matrix(own, hub.rules.catalogue, judge.purposes)
