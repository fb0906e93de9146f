"""Failures that a user can do something about, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ape.exceptions import ApeException, ContractLogicError

from api.chain.abi import decode_revert
from api.errors import DeploymentMissing, RackstreamError
from scripts._lib.deployment import DeploymentError
from scripts._lib.roles import name_of

# What errors call a number that is a power or a role.
_ROLE_FIELDS: Final = frozenset({"power", "roleId"})


def in_words(error: BaseException) -> str | None:
    """What to tell the user; None for what nobody foresaw, which keeps its trace."""
    if isinstance(error, DeploymentMissing):
        return f"{error}\nDeploy first (`ape run deploy`), or name the network with --network."
    if isinstance(error, RackstreamError | DeploymentError):
        return str(error)
    if isinstance(error, ContractLogicError):
        return _revert(error)
    if isinstance(error, ApeException):
        return str(error)
    return None


def _revert(error: ContractLogicError) -> str:
    inputs = getattr(error, "inputs", None)
    if inputs is not None:
        return _refusal(type(error).__name__, inputs)
    message = str(error)
    if message.startswith("0x"):
        # ape knows the errors of the contract that was called; ours come from deeper, too.
        decoded = decode_revert(bytes.fromhex(message[2:]))
        return _refusal(decoded.name, decoded.arguments)
    return f"the contract refused: {message}"


def _refusal(name: str, arguments: Mapping[str, object]) -> str:
    told = ", ".join(f"{field}={_plain(field, value)}" for field, value in arguments.items())
    return f"the contract refused: {name}({told})"


def _plain(field: str, value: object) -> object:
    if field in _ROLE_FIELDS and isinstance(value, int):
        name = name_of(value)
        return f"{value}: {name}" if name else value
    return "0x" + value.hex() if isinstance(value, bytes) else value
