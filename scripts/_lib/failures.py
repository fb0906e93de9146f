"""Failures that a user can do something about, in words."""

from __future__ import annotations

from ape.exceptions import ApeException, ContractLogicError

from api.chain.abi import decode_revert
from api.errors import DeploymentMissing, RackstreamError
from scripts._lib.deployment import DeploymentError


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
        fields = ", ".join(f"{name}={_plain(value)}" for name, value in inputs.items())
        return f"the contract refused: {type(error).__name__}({fields})"
    message = str(error)
    if message.startswith("0x"):
        # ape knows the errors of the contract that was called; ours come from deeper, too.
        decoded = decode_revert(bytes.fromhex(message[2:]))
        fields = ", ".join(f"{name}={value}" for name, value in decoded.arguments.items())
        return f"the contract refused: {decoded.name}({fields})"
    return f"the contract refused: {message}"


def _plain(value: object) -> object:
    return "0x" + value.hex() if isinstance(value, bytes) else value
