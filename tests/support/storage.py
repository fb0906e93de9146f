"""Words of a contract's storage, found by what they hold wherever the compiler has put them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ape import chain
from ape.contracts import ContractInstance
from eth_utils.crypto import keccak

from tests.support.node import node_of_ape

PLACES = 32


def place_of_mapping(contract: ContractInstance, key: str, is_it: Callable[[int], bool]) -> int:
    """The place of the mapping from addresses whose word at `key` satisfies `is_it`.

    Raises LookupError if no mapping, or more than one, does.
    """
    found = [place for place in range(PLACES) if is_it(read(contract, key, place))]
    if len(found) != 1:
        raise LookupError(f"{len(found)} mappings have such a word at {key}")
    return found[0]


def read(contract: ContractInstance, key: str, place: int) -> int:
    """The word at `key` of the mapping at `place`."""
    slot = _slot(key, place)
    return int.from_bytes(chain.provider.get_storage(str(contract.address), slot))


def write(contract: ContractInstance, key: str, place: int, word: int) -> None:
    """Set that word."""
    chain.provider.set_storage(str(contract.address), _slot(key, place), word.to_bytes(32))


def write_all(contract: ContractInstance, words: Mapping[str, int], place: int) -> None:
    """Set the word at every key."""
    with node_of_ape() as node:
        for key, word in words.items():
            slot = hex(_slot(key, place))
            node.request(
                "anvil_setStorageAt", str(contract.address), slot, "0x" + word.to_bytes(32).hex()
            )


def _slot(key: str, place: int) -> int:
    return int.from_bytes(keccak(bytes.fromhex(key[2:]).rjust(32, b"\0") + place.to_bytes(32)))
