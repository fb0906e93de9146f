"""scripts/_lib/commands.py and failures.py: accounts, options and failures in words."""

from __future__ import annotations

import sys
from pathlib import Path

import click
import pytest
from ape import chain
from ape.api import AccountAPI
from ape.exceptions import AccountsError, ContractLogicError

from api.domain.hashing import keccak256
from api.errors import DeploymentMissing, KeyRefused, OutOfRange
from scripts._lib import commands
from scripts._lib.commands import PlainCommand, SixDecimals, Wallet, open_record, signer
from scripts._lib.deployment import DeploymentError, System
from scripts._lib.failures import in_words
from scripts._lib.record import Record
from scripts._lib.roles import name_of
from scripts._lib.rollout import holders_of

OWN = "0x00000000000000000000000000000000000000AA"


@pytest.fixture
def public_chain(monkeypatch: pytest.MonkeyPatch) -> None:
    """The connected chain counts as a public one."""
    monkeypatch.setattr("api.types.LOCAL_CHAIN_ID", 1)
    monkeypatch.setattr("scripts._lib.rollout.LOCAL_CHAIN_ID", 1)


# -- signer ------------------------------------------------------------------------------------


def test_signer__local_chain_and_no_name__is_the_first_test_account(deployer: AccountAPI) -> None:
    assert chain.provider.network.is_local
    assert signer(None).address == deployer.address
    assert signer("TEST::3").address != deployer.address


@pytest.mark.usefixtures("public_chain")
@pytest.mark.parametrize("number", range(20))
def test_signer__well_known_key_off_the_local_chain__is_refused(
    accounts: list[AccountAPI], number: int
) -> None:
    with pytest.raises(KeyRefused, match="is a well-known test account") as caught:
        signer(f"TEST::{number}")

    assert caught.value.value == accounts[number].address


@pytest.mark.usefixtures("public_chain")
def test_signer__no_name_off_the_local_chain__asks_for_one() -> None:
    with pytest.raises(click.UsageError, match="name the --account that signs"):
        signer(None)


def test_signer__unknown_alias__is_said() -> None:
    with pytest.raises(click.BadParameter, match="'nobody' not found"):
        signer("nobody")


# -- holders_of --------------------------------------------------------------------------------

UNNAMED: dict[str, str | None] = dict.fromkeys(
    ("admin", "registrar", "guardian", "compliance", "oracle_admin", "arbiter")
)


def test_holders_of__local_chain__the_deployer_stands_in(deployer: AccountAPI) -> None:
    holders = holders_of(deployer, {**UNNAMED, "guardian": OWN}, ())

    assert holders.guardian == OWN
    assert {holders.admin, holders.registrar, *holders.kyc_providers} == {deployer.address}


@pytest.mark.usefixtures("public_chain")
def test_holders_of__public_chain__every_holder_is_named(deployer: AccountAPI) -> None:
    with pytest.raises(click.UsageError) as caught:
        holders_of(deployer, {**UNNAMED, "guardian": OWN}, ())

    assert (
        "name --admin, --registrar, --compliance, --oracle-admin, --arbiter, --kyc-provider"
        in str(caught.value)
    )
    named: dict[str, str | None] = dict.fromkeys(UNNAMED, OWN)
    assert holders_of(deployer, named, (OWN,)).kyc_providers == (OWN,)


# -- options -----------------------------------------------------------------------------------


def test_wallet__address_or_alias__is_an_address(accounts: list[AccountAPI]) -> None:
    wallet = Wallet()

    assert wallet.convert("TEST::2", None, None) == accounts[2].address
    assert wallet.convert(accounts[2].address.lower(), None, None) == accounts[2].address


@pytest.mark.parametrize("text", ["0x12", "nobody", "TEST::99"])
def test_wallet__neither__is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter):
        Wallet().convert(text, None, None)


def test_six_decimals__number__is_in_millionths() -> None:
    assert SixDecimals().convert("1.5", None, None) == 1_500_000
    with pytest.raises(click.BadParameter, match="more than six decimals"):
        SixDecimals().convert("0.0000001", None, None)


# -- open_record -------------------------------------------------------------------------------


def test_open_record__nothing_deployed__says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DeploymentMissing) as caught:
        open_record(tmp_path)

    assert "Deploy first (`ape run deploy`)" in str(in_words(caught.value))


def test_open_record__deployment__is_verified(record: Record) -> None:
    assert open_record(record.directory).addresses() == record.addresses()
    address = record.addresses()["Waterfall"]
    chain.provider.make_request("anvil_setCode", [address, "0x00"])

    with pytest.raises(DeploymentError, match="Waterfall: code is"):
        open_record(record.directory)


# -- failures ----------------------------------------------------------------------------------


def _run(error: BaseException) -> int:
    @click.command(cls=PlainCommand)
    def command() -> None:
        raise error

    return int(command.main([], standalone_mode=False) or 0)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OutOfRange("gpuCount", 0, 1, 9), "gpuCount is 0, allowed is 1 to 9"),
        (DeploymentError("in the way"), "in the way"),
        (AccountsError("locked"), "locked"),
        (ContractLogicError("Pausable: paused"), "the contract refused: Pausable: paused"),
    ],
)
def test_command__expected_failure__is_said_in_words(error: Exception, words: str) -> None:
    with pytest.raises(click.ClickException) as caught:
        _run(error)

    assert caught.value.message == words


def test_command__unforeseen_failure__keeps_its_trace() -> None:
    with pytest.raises(ZeroDivisionError):
        _run(ZeroDivisionError("a fault of ours"))


def test_in_words__refusal_of_the_contract_called__has_name_and_values(
    system: System, attacker: AccountAPI
) -> None:
    with pytest.raises(ContractLogicError) as caught:
        system.oracle.setDisputeWindow(1, sender=attacker)

    assert in_words(caught.value) == (
        f"the contract refused: AccessManagedUnauthorized(caller={attacker.address})"
    )


def test_in_words__refusal_from_deeper__has_name_and_values() -> None:
    # ape knows the errors of the contract that was called, and hands on others as they are.
    data = keccak256(b"ClusterShare_NotTheWaterfall(address)")[:4] + bytes(12) + b"\x07" * 20

    assert in_words(ContractLogicError("0x" + data.hex())) == (
        "the contract refused: ClusterShare_NotTheWaterfall("
        "account=0x0707070707070707070707070707070707070707)"
    )


@pytest.mark.parametrize(
    ("role", "words"),
    [
        (7 << 32, "enforcement"),
        (64 << 32 | 12, "issuer of cluster 12"),
        (66, "trustee"),
        (0, "admin"),
        (99 << 32 | 1, None),
        (1 << 64, None),
    ],
)
def test_name_of__roles_and_powers__in_words(role: int, words: str | None) -> None:
    assert name_of(role) == words


def test_command__run_outside_the_project__finds_the_package(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.path", [])

    PlainCommand("x").make_context("x", [])

    assert sys.path == [commands.ROOT]
