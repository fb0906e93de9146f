"""Gas of paying for inference: whole transactions, as receipts state them."""

from __future__ import annotations

from dataclasses import replace

from ape import chain
from ape.api import AccountAPI

from tests.support.payments import DAY, FOREVER, Till, deploy_payments, events, key_of
from tests.support.scenario import SHARE, USD, Scenario, travel_to
from tests.support.x402 import Counter, deploy_settler

PAYERS = 100
CLUSTERS = 4
DEPOSIT = 20 * USD
PRICE = 123_457

X402_PAYERS = 50
X402_PRICE = 10_000

LIMITS = {"collect_100": 17_000 * PAYERS, "settle_50": 47_200 * X402_PAYERS}
"""What the operations may cost at most."""


def measure(
    scenario: Scenario,
    gateway: AccountAPI,
    payer: AccountAPI,
    holder: AccountAPI,
    treasury: AccountAPI,
    deployer: AccountAPI,
    start: int,
) -> dict[str, int]:
    """A hundred payers with a session key each, who have paid that gateway before.

    `collect_N` is a batch of N vouchers for one cluster; `collect_100_for_4` for four clusters;
    `collect_100_for_4_models` for one cluster's work with four models, whose owners have been owed
    something before; `collect_100_locked` of what was locked. All of them after `start`, by
    contracts of a `deployer` who has sent nothing before: what is signed says when and where, and
    its zeros are cheaper.
    """
    travel_to(start)
    system = scenario.system
    payments = deploy_payments(system, deployer, treasury)
    clusters = [scenario.live_cluster([holder], [SHARE])[0] for _ in range(CLUSTERS)]
    till = Till(payments, gateway, tuple(clusters))
    scenario.give_usd(payer, 1_000_000 * USD)
    system.stablecoin.approve(payments, 2**256 - 1, sender=payer)
    gas = {"deposit_balance_first": int(payments.deposit(DEPOSIT, sender=payer).gas_used)}
    gas["deposit_balance"] = int(payments.deposit(DEPOSIT, sender=payer).gas_used)
    receipt = payments.authorise(key_of("hot").address, gateway, DEPOSIT, FOREVER, sender=payer)
    gas["authorise_session"] = int(receipt.gas_used)

    people = [(key_of(f"payer {n}"), key_of(f"session {n}")) for n in range(PAYERS)]
    for person, key in people:
        payments.depositFor(person.address, DEPOSIT, sender=payer)
        session = till.session(person, key, DEPOSIT, deadline=FOREVER)
        receipt = till.authorise_signed(session, person, payer)
    gas["authorise_session_signed"] = int(receipt.gas_used)

    def batch(times: int, count: int = PAYERS, clusters: int = 1) -> list[bytes]:
        """The price once more of each, for one cluster after the other."""
        return [
            till.voucher(person, key, times * PRICE, n % clusters)
            for n, (person, key) in enumerate(people[:count])
        ]

    till.collect(*batch(1, clusters=CLUSTERS))
    gas["collect_1"] = int(till.collect(*batch(2, 1)).gas_used)
    gas["collect_10"] = int(till.collect(*batch(3, 10)).gas_used)
    gas["collect_100"] = int(till.collect(*batch(4)).gas_used)
    gas["collect_100_for_4"] = int(till.collect(*batch(5, clusters=CLUSTERS)).gas_used)
    gas["collect_100_again"] = int(till.collect(*batch(5, clusters=CLUSTERS)).gas_used)
    models = [
        system.models.register(
            f"model {n}", key_of(f"owner {n}").address, 500, bytes(32), sender=holder
        ).return_value
        for n in range(CLUSTERS)
    ]
    works = replace(
        till, clusters=(clusters[0],) * CLUSTERS, models=tuple(sorted(map(bytes, models)))
    )
    works.collect(*batch(6, clusters=CLUSTERS))
    gas["collect_100_for_4_models"] = int(works.collect(*batch(7, clusters=CLUSTERS)).gas_used)
    owner = key_of("owner 0").address
    system.stablecoin.mint(owner, 1, sender=scenario.deployer)
    gas["pay_royalty"] = int(payments.payRoyalty(owner, sender=holder).gas_used)
    until = start + DAY // 2
    for person, key in people:
        receipt = till.lock(person, key, 8 * PRICE, until)
    gas["lock_balance"] = int(receipt.gas_used)
    gas["collect_100_locked"] = int(till.collect(*batch(8)).gas_used)
    gas["request_withdrawal"] = int(payments.requestWithdrawal(USD, sender=payer).gas_used)
    chain.pending_timestamp = start + DAY + DAY // 2
    gas["withdraw_balance"] = int(payments.withdraw(sender=payer).gas_used)
    settler = deploy_settler(system, deployer, payments)
    counter = Counter(settler, system.stablecoin, gateway, clusters[0])
    return gas | _measure_settler(scenario, counter)


def _measure_settler(scenario: Scenario, counter: Counter) -> dict[str, int]:
    """Fifty payers of x402 who go on having money, and have paid before; the cluster's address is
    there.

    `settle_N` is a batch of N payments that are all used; `settle_50_unused` one of which a part
    of each goes to its payer's balance, which is not empty. `settle_ahead_1` and
    `allocate_1` are the two halves of a stream.
    """
    payers = [key_of(f"x402 payer {number}") for number in range(X402_PAYERS)]
    for payer in payers:
        scenario.system.stablecoin.mint(payer.address, USD, sender=scenario.deployer)

    def batch(name: str, count: int = X402_PAYERS) -> list[bytes]:
        return [
            counter.payment(payer, X402_PRICE, f"{name} {number}")
            for number, payer in enumerate(payers[:count])
        ]

    unused = dict.fromkeys(range(X402_PAYERS), X402_PRICE // 3)
    counter.settle(*batch("first"), credits=unused)
    gas = {
        "settle_1": int(counter.settle(*batch("one", 1)).gas_used),
        "settle_50": int(counter.settle(*batch("fifty")).gas_used),
        "settle_50_unused": int(counter.settle(*batch("unused"), credits=unused).gas_used),
    }
    receipt = counter.settle_ahead(*batch("ahead", 1))
    gas["settle_ahead_1"] = int(receipt.gas_used)
    (settled,) = events(receipt, counter.settler, "SettledAhead")
    entries = list(settled.entries)
    gas["allocate_1"] = int(counter.allocate(entries, {0: X402_PRICE // 3}).gas_used)
    return gas
