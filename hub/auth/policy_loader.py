"""From policy directories, or from a signed bundle, to a judge that may come into force.

A bundle must be valid Cedar against this program's catalogue, have its own cases hold, and speak of the roles and
purposes that this program knows: who may hold which role is part of what tokens are checked against.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from hub.auth.cedar_schema import cedar_schema
from hub.auth.judge import CedarJudge
from hub.auth.policy_bundle import SignedBundle, unpack
from hub.auth.policy_cases import read_cases, run_cases
from hub.auth.policy_holder import Policy
from hub.auth.policy_reader import read_bundle
from hub.auth.purposes import Purposes, read_purposes
from hub.domain.catalogue import Catalogue
from hub.errors import PolicyError


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyLoader:
    """What rules are held against: the catalogue and the closed lists of the running program."""

    catalogue: Catalogue
    purposes: Purposes

    def judge(self, directories: Sequence[Path], *, own_purposes: bool = False) -> CedarJudge:
        """The judge of directories; cases are not run.

        `own_purposes`: whether they may have other roles and purposes than the program, as drafts to compare may.

        Raises:
            PolicyError: a rule is wrong, or `purposes.toml` is not the program's.
        """
        purposes = self._purposes(directories, own=own_purposes)
        schema = cedar_schema(self.catalogue, purposes)
        return CedarJudge(read_bundle(directories, schema), self.catalogue, purposes)

    def policy(self, bundle: SignedBundle) -> Policy:
        """The policy of a signed bundle, its cases run.

        Raises:
            PolicyError: a rule is wrong or a case does not hold.

        Cost: about a second of processor; run it beside the loop.
        """
        with TemporaryDirectory(prefix="hub-policy-") as folder:
            directory = Path(folder)
            unpack(bundle.files, directory)
            judge = self.judge([directory])
            cases = read_cases([directory], self.catalogue, self.purposes)
            if not cases:
                raise PolicyError("a bundle needs cases")
            if wrong := run_cases(judge, cases):
                raise PolicyError(f"{len(wrong)} cases do not hold, first {wrong[0]}")
        return Policy(judge=judge, version=bundle.version, signer=bundle.signer, files=bundle.files)

    def _purposes(self, directories: Sequence[Path], *, own: bool) -> Purposes:
        file = next((path for path in (item / "purposes.toml" for item in directories) if path.exists()), None)
        if file is None:
            return self.purposes
        given = read_purposes(file)
        if not own and (given.roles != self.purposes.roles or given.purposes.keys() != self.purposes.purposes.keys()):
            raise PolicyError("roles and purposes differ from those this program runs with", file=file.name)
        return given
