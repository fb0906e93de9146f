"""Calls to any function of any contract, to see whether it lets the caller in.

Calls are simulated, not sent: the whole matrix of functions and callers costs seconds. Arguments
are zeros unless said otherwise: whoever is let in is refused for another reason, or for none.
"""

from __future__ import annotations

from typing import Any

from ape import chain
from ape.api import AccountAPI
from ape.contracts import ContractInstance
from eth_abi.abi import decode, encode
from eth_utils.crypto import keccak
from ethpm_types.abi import ABIType, MethodABI

UNAUTHORIZED = "AccessManagedUnauthorized(address)"
MISSING_POWER = "Authorised_MissingPower(address,uint32,uint32)"
NOT_ROLE_ADMIN = "AccessManagerUnauthorizedAccount(address,uint64)"


def state_changing(contract: ContractInstance) -> dict[str, list[MethodABI]]:
    """The state-changing functions of a contract by name, with their overloads."""
    functions: dict[str, list[MethodABI]] = {}
    for abi in contract.contract_type.mutable_methods:
        functions.setdefault(abi.name, []).append(abi)
    return functions


def zero_of(item: ABIType) -> Any:
    """The zero value of an ABI type, as eth_abi takes it."""
    kind = str(item.type)
    if kind.endswith("]"):
        of, _, length = kind.removesuffix("]").rpartition("[")
        return [zero_of(ABIType(type=of, components=item.components))] * int(length or 0)
    if kind == "tuple":
        return tuple(zero_of(component) for component in item.components or [])
    if kind == "address":
        return "0x" + "00" * 20
    if kind == "bool":
        return False
    if kind == "string":
        return ""
    if kind.startswith("bytes"):
        return b"\0" * int(kind.removeprefix("bytes") or 0)
    return 0


def revert_data(
    contract: ContractInstance, abi: MethodABI, sender: AccountAPI | str, **arguments: Any
) -> bytes | None:
    """What the call of `abi` by `sender` reverts with; None if it goes through."""
    unknown = arguments.keys() - {str(item.name) for item in abi.inputs}
    if unknown:
        raise KeyError(f"{abi.name} has no {sorted(unknown)}")
    values = [arguments.get(str(item.name), zero_of(item)) for item in abi.inputs]
    data = keccak(text=abi.selector)[:4] + encode(
        [item.canonical_type for item in abi.inputs], values
    )
    call = {
        "from": str(getattr(sender, "address", sender)),
        "to": contract.address,
        "data": "0x" + data.hex(),
    }
    answer = chain.provider.web3.provider.make_request("eth_call", [call, "latest"])
    if "error" not in answer:
        return None
    return bytes.fromhex(answer["error"]["data"].removeprefix("0x"))


def error_arguments(data: bytes | None, signature: str) -> tuple[Any, ...] | None:
    """The arguments of the custom error `signature`, or None if `data` is not that error."""
    if data is None or data[:4] != keccak(text=signature)[:4]:
        return None
    types = signature[signature.index("(") + 1 : -1].split(",")
    return tuple(decode(types, data[4:]))
