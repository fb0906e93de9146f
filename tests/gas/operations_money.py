"""Gas of what holders, customers and keepers do: whole transactions, as receipts state them."""

from __future__ import annotations

from dataclasses import dataclass

from ape import chain
from ape.api import AccountAPI, ReceiptAPI
from ape.contracts import ContractInstance
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from scripts._lib import roles
from tests.support.income import UINT256_MAX, delegate, deploy_open_share
from tests.support.revenue import REF
from tests.support.scenario import SHARE, Scenario, sign_attestation, travel_to
from tests.support.storage import place_of_mapping, read, write_all

MINUTE = 60
HOUR = 3_600
DAY = 86_400
FEW, MANY = 10, 1_000
ISSUED_AT_ONCE = 100
AMOUNT = 12_345 * SHARE + 678_901
INCOME = 1_234_567_890
NOBODY = "0x" + "00" * 20

LIMITS = {
    "transfer": 70_000,
    "transfer_limited": 70_000,
    # 130,000 is aimed at: the sender's record and the share's limits are two cold reads more.
    "transfer_delegated": 131_000,
    "claim": 62_000,
    "fund": 70_000,
    "transfer_at_1000_holders": 70_000,
    "claim_at_1000_holders": 62_000,
}
"""What the operations may cost at most."""


@dataclass(frozen=True)
class Actors:
    """Who acts. The holders hold from the start, the newcomer is admitted and holds nothing."""

    oracle_admin: AccountAPI
    customer: AccountAPI
    holder: AccountAPI
    other_holder: AccountAPI
    newcomer: AccountAPI
    keeper: AccountAPI
    admin: AccountAPI


@dataclass(frozen=True)
class Trading:
    """A Live cluster that earns."""

    waterfall: ContractInstance
    cluster_id: int
    share: ContractInstance
    customer: AccountAPI

    def receive(self) -> ReceiptAPI:
        receipt: ReceiptAPI = self.waterfall.receiveIncome(
            self.cluster_id, INCOME, 0, REF, sender=self.customer
        )
        return receipt

    def distribute(self) -> ReceiptAPI:
        receipt: ReceiptAPI = self.waterfall.distribute(self.cluster_id, sender=self.customer)
        return receipt


def measure(scenario: Scenario, actors: Actors, start: int) -> dict[str, int]:
    """Each operation at its own second after `start`: values and branches are always the same.

    On clusters of ten and of a thousand holders.
    """
    travel_to(start)
    holders = (actors.holder, actors.other_holder, actors.newcomer)
    scenario.attest(*holders, issuedAt=start, expiresAt=start + 400 * DAY)
    few = _trading_cluster(scenario, actors, start + DAY, FEW)
    gas = _of_a_day(few, actors) | _pledged_and_limited(scenario, few, actors)
    many = _trading_cluster(scenario, actors, start + 40 * DAY, MANY)
    of_many = _of_a_day(many, actors)
    for operation in ("transfer", "claim", "distribute"):
        gas[f"{operation}_at_{MANY}_holders"] = of_many[operation]
    gas |= _once(scenario, actors, start + 80 * DAY)
    return gas


def _of_a_day(trading: Trading, actors: Actors) -> dict[str, int]:
    """Transfers, claims and distributions of a share whose stream runs."""
    share, holder, other = trading.share, actors.holder, actors.other_holder
    at = int(chain.blocks.head.timestamp)
    gas = {}

    def after(seconds: int) -> None:
        nonlocal at
        at += seconds
        chain.pending_timestamp = at

    def used(receipt: ReceiptAPI) -> int:
        after(MINUTE)
        return int(receipt.gas_used)

    after(HOUR)
    # Of accounts that nothing was written of since they were issued their shares.
    gas["claim_first"] = used(share.claim(sender=holder))
    gas["transfer_first"] = used(share.transfer(actors.newcomer, AMOUNT, sender=other))
    gas["receive_income"] = used(trading.receive())
    gas["distribute"] = used(trading.distribute())
    gas["transfer"] = used(share.transfer(other, AMOUNT, sender=holder))
    gas["transfer_back"] = used(share.transfer(holder, AMOUNT, sender=other))
    gas["claim"] = used(share.claim(sender=holder))
    gas["claim_for"] = used(share.claimFor(holder, sender=actors.keeper))
    gas["set_payee"] = used(share.setPayee(actors.keeper, sender=other))
    gas["delegate"] = used(delegate(share, holder, sender=holder))
    used(delegate(share, other, sender=other))
    gas["transfer_delegated"] = used(share.transfer(other, AMOUNT, sender=holder))
    used(delegate(share, NOBODY, sender=holder))
    used(delegate(share, NOBODY, sender=other))
    for operation, wait in (("a_boundary", 4 * HOUR), ("silence", 10 * DAY)):
        after(wait)
        gas[f"transfer_after_{operation}"] = used(share.transfer(other, AMOUNT, sender=holder))
        gas[f"claim_after_{operation}"] = used(share.claim(sender=holder))
    return gas


def _pledged_and_limited(scenario: Scenario, trading: Trading, actors: Actors) -> dict[str, int]:
    """Encumbrances, their income, and a transfer with every rule on."""
    system, share = scenario.system, trading.share
    holder, other, taker = actors.holder, actors.other_holder, actors.keeper
    system.authority.grantRole(roles.ENCUMBRANCER_ROLE, taker, 0, sender=actors.admin)
    at = int(chain.blocks.head.timestamp)
    gas = {}

    def used(receipt: ReceiptAPI) -> int:
        nonlocal at
        at += MINUTE
        chain.pending_timestamp = at
        return int(receipt.gas_used)

    used(trading.receive())
    used(trading.distribute())
    gas["encumber"] = used(share.encumber(taker, 4 * AMOUNT, sender=holder))
    gas["assign_income"] = used(share.assignIncome(taker, 2 * AMOUNT, taker, sender=holder))
    gas["transfer_assigning"] = used(share.transfer(other, AMOUNT, sender=holder))
    gas["claim_assigned"] = used(share.claimAssigned(holder, taker, sender=taker))
    gas["deliver"] = used(share.transferFrom(holder, other, AMOUNT, sender=taker))
    gas["release"] = used(share.release(holder, 3 * AMOUNT, sender=taker))
    limits = {
        "minHolding": AMOUNT,
        "maxHolding": 1_000 * AMOUNT,
        "maxHolders": FEW + 1,
        "lockedUntilDay": [0, 0, 0],
        "excludesCountries": True,
    }
    system.identity.scheduleLimits(share, limits, sender=scenario.issuer)
    system.identity.scheduleCountries(share, [840], True, sender=scenario.issuer)
    at = int(chain.blocks.head.timestamp) + 8 * DAY
    chain.pending_timestamp = at
    used(system.identity.applyRules(share, sender=taker))
    used(trading.receive())
    used(trading.distribute())
    used(share.transfer(holder, AMOUNT, sender=other))
    gas["transfer_limited"] = used(share.transfer(holder, AMOUNT, sender=other))
    return gas


def _once(scenario: Scenario, actors: Actors, start: int) -> dict[str, int]:
    """What happens seldom: admission, issue, a funding by itself, a withdrawal."""
    travel_to(start)
    gas = {}
    wallet = _wallet(MANY)
    attestation = scenario.attestation(wallet, issuedAt=start, expiresAt=start + 365 * DAY)
    signature = sign_attestation(scenario.system.identity, attestation, scenario.kyc_provider)
    receipt = scenario.system.identity.attest(
        attestation, scenario.kyc_provider, signature, sender=actors.keeper
    )
    gas["attest"] = int(receipt.gas_used)

    cluster_id = scenario.register_cluster(authorised_shares=1_000_000_000 * SHARE)
    scenario.open_funding(cluster_id)
    share = deploy_open_share(scenario, cluster_id, actors.customer)
    wallets = [_wallet(n) for n in range(ISSUED_AT_ONCE)]
    _admit(scenario.system.identity, actors.holder, wallets)
    receipt = share.issue(wallets, [AMOUNT] * ISSUED_AT_ONCE, sender=scenario.issuer)
    gas[f"issue_{ISSUED_AT_ONCE}"] = int(receipt.gas_used)

    scenario.system.stablecoin.approve(share, UINT256_MAX, sender=actors.customer)
    for hours, name in ((1, "fund_first"), (2, "fund")):
        chain.pending_timestamp = start + hours * HOUR
        gas[name] = int(share.fund(INCOME, sender=actors.customer).gas_used)
    return gas


def _trading_cluster(scenario: Scenario, actors: Actors, start: int, holders: int) -> Trading:
    """A Live cluster of that many holders, whose stream has run in earnest: seven ends are live."""
    travel_to(start)
    system = scenario.system
    cluster_id = scenario.register_cluster(authorised_shares=1_000_000_000 * SHARE)
    share = scenario.open_funding(cluster_id)
    wallets = [_wallet(n) for n in range(holders - 2)]
    _admit(system.identity, actors.holder, wallets)
    owners = [actors.holder.address, actors.other_holder.address, *wallets]
    for first in range(0, holders, ISSUED_AT_ONCE):
        part = owners[first : first + ISSUED_AT_ONCE]
        share.issue(part, [10 * AMOUNT] * len(part), sender=scenario.issuer)
    system.registry.goLive(cluster_id, sender=scenario.issuer)
    scenario.give_usd(actors.customer, 10**18)
    system.stablecoin.approve(system.waterfall, UINT256_MAX, sender=actors.customer)
    trading = Trading(system.waterfall, cluster_id, share, actors.customer)
    for n in range(1, 9):
        chain.pending_timestamp = start + n * 4 * HOUR + HOUR // 2
        trading.receive()
        trading.distribute()
    ends, _ = share.streamEnds()
    assert len(ends) == 7
    return trading


def _wallet(number: int) -> str:
    return to_checksum_address(keccak(text=f"wallet {number}")[12:])


def _admit(identity: ContractInstance, like: AccountAPI, wallets: list[str]) -> None:
    """Copy the record of an admitted wallet to others, each of an investor of its own, without a
    transaction for each."""
    investor = int.from_bytes(identity.attestationOf(like).investorId)
    place = place_of_mapping(identity, like.address, lambda word: word % 2**128 == investor)
    record = read(identity, like.address, place) - investor
    words = {wallet: record + int(wallet, 16) % 2**128 for wallet in wallets}
    write_all(identity, words, place)
    assert all(identity.canReceive(wallet) for wallet in wallets[:3])
