"""Ours: a ClusterShare as the deployment makes it, funded by an account, not the Waterfall."""

from __future__ import annotations

from ape.api import AccountAPI

from tests.bench.gas.chain import Sent
from tests.bench.gas.cluster import Cluster, Ground, System
from tests.bench.gas.openzeppelin import OURS
from tests.support.compliance import as_limits, limits
from tests.support.income import deploy_open_share
from tests.support.node import Call
from tests.support.scenario import SHARE, YEAR_SECONDS, Scenario, sign_attestation

AUTHORISED = 1_000_000_000 * SHARE
RULES = limits(
    minHolding=SHARE,
    maxHolding=AUTHORISED,
    maxHolders=1_000_000,
    lockedUntilDay=[1, 1, 1],
    excludesCountries=True,
)
"""Every limit is looked at, and keeps nobody from anything: the locks ended in 1970."""
EXCLUDED = [408, 364]
"""ISO 3166-1; no holder is of them."""


class RackstreamCluster(Cluster):
    def __init__(self, ground: Ground, share: str, system: Rackstream) -> None:
        super().__init__(ground, share)
        self._system = system

    def admit(self, holders: list[str]) -> None:
        self._system.attest(holders)

    def fund(self, amount_usd6: int) -> list[Sent]:
        ground = self.ground
        return [ground.chain.send(ground.funder, self.share, "fund(uint256)", amount_usd6)]

    def claim(self, holder: str) -> list[Sent]:
        return [self.ground.chain.send(holder, self.share, "claim()")]

    def delegate(self, holder: str) -> None:
        self.ground.chain.send(holder, self.share, "delegate(address)", holder)


def deploy_shares(scenario: Scenario, funder: AccountAPI, count: int) -> list[str]:
    """Addresses of shares in Funding that nobody holds yet, with every rule on."""
    return [_deploy_share(scenario, funder) for _ in range(count)]


def _deploy_share(scenario: Scenario, funder: AccountAPI) -> str:
    cluster_id = scenario.register_cluster(authorised_shares=AUTHORISED)
    scenario.open_funding(cluster_id)
    share = deploy_open_share(scenario, cluster_id, funder)
    rules, issuer = scenario.system.identity, scenario.issuer
    rules.scheduleLimits(share, RULES, sender=issuer)
    rules.scheduleCountries(share, EXCLUDED, True, sender=issuer)
    assert as_limits(rules.limitsOf(share)) == RULES
    return str(share.address)


class Rackstream(System):
    name = "rackstream"
    title = "Rackstream ClusterShare"
    use = (
        "every rule on: minimum, maximum, number of holders, lock-ups, excluded countries; a "
        "funding streams by the second, and a holder claims when they like"
    )

    def __init__(self, ground: Ground, scenario: Scenario, shares: list[str]) -> None:
        self.built = OURS.words
        self._ground = ground
        self._scenario = scenario
        self._shares = shares
        self._attested: set[str] = set()

    def open(self) -> RackstreamCluster:
        share = self._shares.pop()
        self._ground.approve(share)
        return RackstreamCluster(self._ground, share, self)

    def attest(self, holders: list[str]) -> None:
        """Admit each holder, once for all clusters, as an investor of their own."""
        chain = self._ground.chain
        identity, provider = self._scenario.system.identity, self._scenario.kyc_provider
        for holder in holders:
            if holder in self._attested:
                continue
            times = {"issuedAt": chain.now, "expiresAt": chain.now + YEAR_SECONDS}
            attestation = self._scenario.attestation(holder, **times)
            signature = sign_attestation(identity, attestation, provider)
            arguments = (tuple(attestation.values()), str(provider.address), signature)
            data = bytes.fromhex(Call(identity, "attest", arguments).data[2:])
            chain.send_data(self._ground.issuer, str(identity.address), data)
            self._attested.add(holder)
