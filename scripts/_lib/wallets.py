"""Who is meant and who signs, when somebody names an account in the console."""

from __future__ import annotations

from ape import accounts
from ape.api import AccountAPI

from api.domain.codec import parse_address
from api.errors import InvalidInput
from api.types import LOCAL_CHAIN_ID
from scripts._lib.commands import load_account, signer
from scripts._lib.network import connected_chain_id


def address_of(who: object) -> str:
    """The address of whoever is meant. Raises InvalidInput saying how to name somebody."""
    if who is None:
        raise InvalidInput("Whose? An address or an alias, e.g. portfolio('0x…')", value=who)
    address = getattr(who, "address", None)
    if address is not None:
        return str(address)
    if isinstance(who, str) and not who.startswith("0x"):
        return str(load_account(who).address)
    return str(parse_address(who, "who"))


def sender_for(who: object, owner: str, sender: object) -> AccountAPI:
    """The account that sends a claim for `owner`."""
    if isinstance(sender, AccountAPI):
        return sender
    if isinstance(sender, str):
        return signer(sender)
    if isinstance(who, AccountAPI):
        return who
    if owner in accounts:
        return accounts[owner]
    if connected_chain_id() != LOCAL_CHAIN_ID:
        raise InvalidInput(
            f"ape holds no account {owner}; name one that pays the gas: claim('{owner}',"
            " sender='alias'). It goes to the holder or their payee whoever sends it.",
            value=owner,
        )
    return signer(None)


def account_of(who: object) -> AccountAPI:
    """The account that signs as `who`. Raises InvalidInput if ape does not hold it."""
    if isinstance(who, AccountAPI):
        return who
    if who is None:
        raise InvalidInput("Who signs? An account that ape holds: who='alias'", value=who)
    address = address_of(who)
    if address not in accounts:
        raise InvalidInput(f"ape holds no account {address}: it cannot sign here", value=address)
    return accounts[address]
