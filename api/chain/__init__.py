"""The chain: the node, the contracts on it, and what is deployed where. The only user of web3."""
