"""Which chain is connected, as the node itself says."""

from __future__ import annotations

from ape import chain

from api.errors import WrongChain


def connected_chain_id() -> int:
    """The chain id of the node that ape is connected to.

    ape believes its configuration for a local network, whatever the node at the URL is; everything
    here that is more lenient on a local chain must not. Raises WrongChain if the two disagree.
    """
    actual = int(chain.provider.make_request("eth_chainId", []), 16)
    configured = int(chain.chain_id)
    if actual != configured:
        raise WrongChain(actual, configured)
    return actual
