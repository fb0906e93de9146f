"""ModelRegistry: an id is its owner's and no other's; a royalty falls at once and rises late."""

from __future__ import annotations

import pytest
from ape import chain, reverts
from ape.api import AccountAPI
from ape.contracts import ContractInstance

from api.domain.codec import parse_address
from api.domain.work import model_id_of
from scripts._lib.deployment import System
from tests.support.payments import events

NAME = "llama-70b"
WEIGHTS = b"\x0e" * 32
NOTICE = 7 * 86_400


@pytest.fixture
def models(system: System) -> ContractInstance:
    return system.models


@pytest.fixture
def model_id(models: ContractInstance, issuer: AccountAPI, holder: AccountAPI) -> bytes:
    """The issuer's, paid to the holder: 3 %."""
    receipt = models.register(NAME, holder, 300, WEIGHTS, sender=issuer)
    return bytes(receipt.return_value)


def royalty(models: ContractInstance, model_id: bytes, at: int | None = None) -> int:
    """In 1/10,000; in the block of that second."""
    if at is not None:
        chain.pending_timestamp = at
        chain.mine()
    return int(models.royaltyOf(model_id).royaltyBps)


def test_register__by_anyone__is_known_by_owner_and_name(
    models: ContractInstance, issuer: AccountAPI, holder: AccountAPI, attacker: AccountAPI
) -> None:
    receipt = models.register(NAME, holder, 300, WEIGHTS, sender=issuer)
    model_id = model_id_of(parse_address(str(issuer.address), "owner"), NAME)
    assert receipt.return_value == models.modelIdOf(issuer, NAME) == model_id
    assert events(receipt, models, "ModelRegistered") == [
        models.ModelRegistered(model_id, issuer, holder, 300, WEIGHTS, NAME)
    ]
    assert tuple(models.model(model_id)) == (issuer, holder, 300, 300, 0, WEIGHTS)
    other = models.register(NAME, attacker, 1_000, bytes(32), sender=attacker).return_value
    assert bytes(other) != model_id
    assert tuple(models.royaltyOf(model_id)) == (holder, 300)
    assert tuple(models.royaltyOf(other)) == (attacker, 1_000)


@pytest.mark.usefixtures("model_id")
def test_register__what_makes_no_sense__is_refused(
    models: ContractInstance, issuer: AccountAPI
) -> None:
    with reverts(models.ModelRegistry_ZeroAddress):
        models.register("other", "0x" + "00" * 20, 0, WEIGHTS, sender=issuer)
    with reverts(models.ModelRegistry_OverLimit, royaltyBps=1_001, limit=1_000):
        models.register("other", issuer, 1_001, WEIGHTS, sender=issuer)
    with reverts(models.ModelRegistry_Registered, modelId=models.modelIdOf(issuer, NAME)):
        models.register(NAME, issuer, 0, WEIGHTS, sender=issuer)


@pytest.mark.parametrize("name", ["", "m" * 129, "llama\x1f", "llama\x7f", "llаma"], ids=ascii)
def test_register__name_that_cannot_be_read__is_refused(
    models: ContractInstance, issuer: AccountAPI, name: str
) -> None:
    length = len(name.encode())
    with reverts(models.ModelRegistry_InvalidName, length=length, limit=128):
        models.register(name, issuer, 0, WEIGHTS, sender=issuer)


@pytest.mark.parametrize("name", ["m" * 128, " ~", "m"])
def test_register__name_at_its_bounds__is_taken(
    models: ContractInstance, issuer: AccountAPI, name: str
) -> None:
    model_id = models.register(name, issuer, 1_000, bytes(32), sender=issuer).return_value
    assert bytes(model_id) == model_id_of(parse_address(str(issuer.address), "owner"), name)


def test_set_royalty__lower__acts_at_once(
    models: ContractInstance, model_id: bytes, issuer: AccountAPI
) -> None:
    receipt = models.setRoyalty(model_id, 299, sender=issuer)
    assert events(receipt, models, "RoyaltySet") == [
        models.RoyaltySet(model_id, 300, 299, receipt.timestamp)
    ]
    assert receipt.return_value == receipt.timestamp
    assert royalty(models, model_id) == 299
    models.setRoyalty(model_id, 0, sender=issuer)
    assert royalty(models, model_id) == 0


def test_set_royalty__higher__acts_a_week_later(
    models: ContractInstance, model_id: bytes, issuer: AccountAPI
) -> None:
    receipt = models.setRoyalty(model_id, 1_000, sender=issuer)
    from_at = receipt.timestamp + NOTICE
    assert receipt.return_value == from_at
    told = models.model(model_id)
    assert (told.royaltyBps, told.nextRoyaltyBps, told.nextFrom) == (300, 1_000, from_at)
    assert royalty(models, model_id, from_at - 1) == 300
    assert royalty(models, model_id, from_at) == 1_000


def test_set_royalty__higher_twice__counts_from_the_last(
    models: ContractInstance, model_id: bytes, issuer: AccountAPI
) -> None:
    models.setRoyalty(model_id, 1_000, sender=issuer)
    chain.pending_timestamp += NOTICE - 10
    receipt = models.setRoyalty(model_id, 400, sender=issuer)
    assert royalty(models, model_id, receipt.timestamp + 20) == 300
    assert royalty(models, model_id, receipt.timestamp + NOTICE) == 400


def test_set_royalty__as_it_is__takes_a_rise_back(
    models: ContractInstance, model_id: bytes, issuer: AccountAPI
) -> None:
    models.setRoyalty(model_id, 1_000, sender=issuer)
    receipt = models.setRoyalty(model_id, 300, sender=issuer)
    assert royalty(models, model_id, receipt.timestamp + NOTICE) == 300


def test_set_royalty__above_the_cap__is_refused(
    models: ContractInstance, model_id: bytes, issuer: AccountAPI
) -> None:
    with reverts(models.ModelRegistry_OverLimit, royaltyBps=1_001, limit=1_000):
        models.setRoyalty(model_id, 1_001, sender=issuer)


def test_set_pay_to__by_the_owner__is_paid_there_from_now_on(
    models: ContractInstance, model_id: bytes, issuer: AccountAPI, customer: AccountAPI
) -> None:
    receipt = models.setPayTo(model_id, customer, sender=issuer)
    assert events(receipt, models, "PayToSet") == [models.PayToSet(model_id, customer)]
    assert tuple(models.royaltyOf(model_id)) == (customer, 300)
    with reverts(models.ModelRegistry_ZeroAddress):
        models.setPayTo(model_id, "0x" + "00" * 20, sender=issuer)


def test_set__by_anybody_else__is_refused(
    models: ContractInstance, model_id: bytes, issuer: AccountAPI, holder: AccountAPI
) -> None:
    for name, value in (("setRoyalty", 0), ("setPayTo", holder)):
        with reverts(models.ModelRegistry_NotTheOwner, caller=holder.address, owner=issuer.address):
            getattr(models, name)(model_id, value, sender=holder)


def test_any__of_a_model_that_nobody_registered__is_refused(
    models: ContractInstance, issuer: AccountAPI
) -> None:
    for name in ("royaltyOf", "model"):
        with reverts(models.ModelRegistry_Unknown, modelId=WEIGHTS):
            getattr(models, name)(WEIGHTS)
    for name, value in (("setRoyalty", 0), ("setPayTo", issuer)):
        with reverts(models.ModelRegistry_Unknown, modelId=WEIGHTS):
            getattr(models, name)(WEIGHTS, value, sender=issuer)
