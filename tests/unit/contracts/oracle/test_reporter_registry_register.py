"""ReporterRegistry: operators, their keys and their bonds."""

from __future__ import annotations

import ape
import pytest
from ape import chain, project
from ape.api import AccountAPI
from ape.contracts import ContractInstance
from eth_account import Account

from scripts._lib.deployment import System
from tests.support.hostile import Vice
from tests.support.oracle import malleated
from tests.support.reporters import BOND, Operators, key_of, possession
from tests.support.scenario import travel_to

ZERO_ADDRESS = "0x" + "00" * 20


def test_register__key_proved_and_bond_paid__kept_and_told(
    operators: Operators, stablecoin: ContractInstance
) -> None:
    registry, operator = operators.registry, operators.accounts[0]
    key = key_of("first")
    before = stablecoin.balanceOf(operator)
    receipt = operators.register(operator, key, BOND + 1)
    assert registry.reporter(operator) == (key.address, 0, ZERO_ADDRESS, 0, BOND + 1)
    assert registry.operatorOf(key.address) == operator.address
    assert stablecoin.balanceOf(operator) == before - BOND - 1
    assert stablecoin.balanceOf(registry) == BOND + 1
    (event,) = receipt.decode_logs(registry.ReporterRegistered)
    assert (event.operator, event.signer, event.bondUsd6) == (operator, key.address, BOND + 1)
    assert registry.operators() == []


def test_possession_digest__any__as_eip_712_says(operators: Operators) -> None:
    registry, operator, key = operators.registry, operators.addresses[0], key_of("any")
    digest = bytes(registry.possessionDigest(operator, key.address))
    signature = possession(registry, operator, key)
    assert Account._recover_hash(digest, signature=signature) == key.address
    domain = registry.eip712Domain()
    assert (domain.name, domain.version) == ("Rackstream ReporterRegistry", "1")
    assert (domain.chainId, domain.verifyingContract) == (chain.chain_id, registry.address)


@pytest.mark.parametrize("whose", ["another key", "another operator", "malleated", "short"])
def test_register__key_not_possessed__refused(operators: Operators, whose: str) -> None:
    registry, operator = operators.registry, operators.accounts[0]
    key, other = key_of("own"), key_of("other")
    proof = {
        "another key": possession(registry, operators.addresses[0], other),
        "another operator": possession(registry, operators.addresses[1], key),
        "malleated": malleated(possession(registry, operators.addresses[0], key)),
        "short": possession(registry, operators.addresses[0], key)[:64],
    }[whose]
    with ape.reverts(registry.ReporterRegistry_NotPossessed, signer=key.address):
        registry.register(key.address, proof, BOND, sender=operator)


def test_register__zero_key_with_a_bad_signature__refused(operators: Operators) -> None:
    registry = operators.registry
    with ape.reverts(
        registry.ReporterRegistry_NotPossessed, signer=ZERO_ADDRESS, recovered=ZERO_ADDRESS
    ):
        registry.register(ZERO_ADDRESS, bytes(65), BOND, sender=operators.accounts[0])


def test_register__bond_a_millionth_short__refused_and_nothing_taken(
    operators: Operators, stablecoin: ContractInstance
) -> None:
    registry, operator = operators.registry, operators.accounts[0]
    with ape.reverts(
        registry.ReporterRegistry_BondTooSmall,
        operator=operator.address,
        bondUsd6=BOND - 1,
        minimumUsd6=BOND,
    ):
        operators.register(operator, bond=BOND - 1)
    assert stablecoin.balanceOf(registry) == 0


def test_register__twice__refused(operators: Operators) -> None:
    registry, operator = operators.registry, operators.accounts[0]
    operators.register(operator, key_of("own"))
    with ape.reverts(
        registry.ReporterRegistry_AlreadyRegistered,
        operator=operator.address,
        signer=key_of("own").address,
    ):
        operators.register(operator, key_of("other"))


def test_register__key_that_is_or_was_anothers__refused(operators: Operators) -> None:
    registry, first, second = operators.registry, *operators.accounts[:2]
    operators.register(first, key_of("shared"))
    operators.rotate(first, key_of("newer"))
    for name in ("shared", "newer"):
        with ape.reverts(
            registry.ReporterRegistry_SignerTaken,
            signer=key_of(name).address,
            operator=first.address,
        ):
            operators.register(second, key_of(name))


def test_add_bond__registered__grows(operators: Operators) -> None:
    registry, operator = operators.registry, operators.accounts[0]
    operators.register(operator)
    receipt = registry.addBond(7, sender=operator)
    (event,) = receipt.decode_logs(registry.BondAdded)
    assert (event.amountUsd6, event.bondUsd6) == (7, BOND + 7)
    assert registry.reporter(operator).bondUsd6 == BOND + 7


def test_add_bond__more_than_fits__refused(operators: Operators) -> None:
    registry, operator = operators.registry, operators.accounts[0]
    operators.register(operator)
    limit = 2**64 - 1
    with ape.reverts(registry.ReporterRegistry_BondTooLarge, bondUsd6=limit + 1, limitUsd6=limit):
        registry.addBond(limit + 1 - BOND, sender=operator)


@pytest.mark.parametrize(
    "call",
    [
        lambda registry, account: registry.addBond(1, sender=account),
        lambda registry, account: registry.requestExit(sender=account),
        lambda registry, account: registry.withdrawBond(sender=account),
        lambda registry, account: registry.scheduleSigner(account, bytes(65), sender=account),
    ],
)
def test_calls_of_operators__not_registered__refused(operators: Operators, call: object) -> None:
    registry, stranger = operators.registry, operators.accounts[0]
    assert callable(call)
    with ape.reverts(registry.ReporterRegistry_NotRegistered, operator=stranger.address):
        call(registry, stranger)


def test_withdraw_bond__after_the_exit__paid_and_gone_but_for_its_keys(
    operators: Operators, stablecoin: ContractInstance
) -> None:
    registry, operator = operators.registry, operators.accounts[0]
    before = stablecoin.balanceOf(operator)
    operators.register(operator, key_of("own"))
    requested = registry.requestExit(sender=operator)
    free_at = requested.timestamp + registry.EXIT_SECONDS()
    assert registry.reporter(operator).exitAt == free_at
    chain.pending_timestamp = free_at - 1
    with ape.reverts(
        registry.ReporterRegistry_NotExited, operator=operator.address, exitAt=free_at
    ):
        registry.withdrawBond(sender=operator)
    travel_to(free_at)
    assert registry.withdrawBond(sender=operator).return_value == BOND
    assert stablecoin.balanceOf(operator) == before
    assert registry.reporter(operator) == (ZERO_ADDRESS, 0, ZERO_ADDRESS, 0, 0)
    assert registry.operatorOf(key_of("own").address) == operator.address
    operators.register(operator, key_of("own"))


def test_withdraw_bond__no_exit_requested__refused(operators: Operators) -> None:
    registry, operator = operators.registry, operators.accounts[0]
    operators.register(operator)
    with ape.reverts(registry.ReporterRegistry_NotExited, operator=operator.address, exitAt=0):
        registry.withdrawBond(sender=operator)


def test_request_exit__twice__refused_so_that_it_cannot_be_put_off(operators: Operators) -> None:
    registry, operator = operators.registry, operators.accounts[0]
    operators.register(operator)
    registry.requestExit(sender=operator)
    with ape.reverts(registry.ReporterRegistry_Exiting, operator=operator.address):
        registry.requestExit(sender=operator)


@pytest.mark.parametrize(
    ("vice", "received"),
    [(Vice.FEE, BOND - BOND // 100), (Vice.FEE_OF_ALL, 0), (Vice.MOVES_NOTHING, 0)],
)
def test_register__stablecoin_that_arrives_in_part__refused_with_what_did(
    system: System, deployer: AccountAPI, operators: Operators, vice: Vice, received: int
) -> None:
    operator, key = operators.accounts[0], key_of("own")
    usd = deployer.deploy(project.HostileUsd, 6)
    registry = deployer.deploy(
        project.ReporterRegistry, deployer, system.authority, system.oracle, usd
    )
    usd.rebase(operator, BOND, sender=deployer)
    usd.approve(registry, BOND, sender=operator)
    usd.setVice(vice, sender=deployer)
    proof = possession(registry, str(operator.address), key)
    with ape.reverts(registry.ReporterRegistry_Short, amountUsd6=BOND, receivedUsd6=received):
        registry.register(key.address, proof, BOND, sender=operator)
    assert registry.reporter(operator).bondUsd6 == 0


def test_constructor__stablecoin_of_other_decimals__refused(
    system: System, deployer: AccountAPI
) -> None:
    usd = deployer.deploy(project.HostileUsd, 18)
    with ape.reverts(
        project.ReporterRegistry.ReporterRegistry_UnsupportedStablecoin, decimals=18, supported=6
    ):
        deployer.deploy(project.ReporterRegistry, deployer, system.authority, system.oracle, usd)


def test_constructor__no_treasury__refused(
    system: System, deployer: AccountAPI, stablecoin: ContractInstance
) -> None:
    with ape.reverts(project.ReporterRegistry.ReporterRegistry_ZeroAddress):
        deployer.deploy(
            project.ReporterRegistry, ZERO_ADDRESS, system.authority, system.oracle, stablecoin
        )
