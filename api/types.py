"""Typed ids, units and the constants that every service agrees on.

The constants that exist on chain too (epochs, grace, reporters) repeat
`contracts/libraries/Epochs.sol` and `contracts/oracle/interfaces/IMetricsOracle.sol`; the tests
compare them.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final, NewType

ClusterId = NewType("ClusterId", int)
"""A cluster on chain: uint32, counted from 1."""

Epoch = NewType("Epoch", int)
"""An hour of Unix time: epoch e covers the seconds [3600 e, 3600 (e + 1))."""

GpuId = NewType("GpuId", bytes)
"""32 bytes: keccak256 of the UTF-8 text of a GPU's UUID (of a container's hash in a recorded
trace).
"""

Address = NewType("Address", str)
"""An account on chain: 0x and 40 hex digits in EIP-55 spelling, so that equal accounts are equal
strings.
"""

Digest = NewType("Digest", bytes)
"""32 bytes: a keccak256 hash, a Merkle root or an EIP-712 digest."""

Signature = NewType("Signature", bytes)
"""65 bytes: r, s, v with v 27 or 28 and s in the lower half, as OpenZeppelin's ECDSA takes it."""

SIGNATURE_BYTES: Final = 65


class EnergySource(IntEnum):
    """How the energy counter of a batch came about."""

    METERED = 0
    MODELLED = 1

    @property
    def label(self) -> str:
        """The word for it in JSON."""
        return self.name.lower()


ZERO_DIGEST: Final = Digest(bytes(32))
"""The root of an empty set."""

LOCAL_CHAIN_ID: Final = 31337
"""Anvil's. Well-known keys are accepted on this chain only."""

EPOCH_SECONDS: Final = 3_600
GRACE_SECONDS: Final = 86_400
"""How long after its end an epoch's energy is still counted on chain."""

LOOKBACK_SECONDS: Final = 300
"""How far before an epoch samples still matter to it: the longest agreed sampling interval."""

CLOSE_SECONDS: Final = 120
"""How long after its end an epoch waits for agents that have not declared it complete."""

ROUND_SECONDS: Final = 60
"""How long a reporter has as proposer before the next one takes over."""

MAX_REPORTERS: Final = 31

MIN_SAMPLE_INTERVAL_MS: Final = 1_000
MAX_SAMPLE_INTERVAL_MS: Final = LOOKBACK_SECONDS * 1_000

MAX_BATCH_SAMPLES: Final = 10_000
MAX_BATCH_BYTES: Final = 2 * 1024 * 1024
MAX_GPUS: Final = 1_000_000
"""GPUs in one cluster. The figures word holds an hour of 1,193,046."""

BPS: Final = 10_000
"""Basis points in the whole."""

DRAINING_XIDS: Final = frozenset({48, 64, 74, 79})
"""NVIDIA XID codes after which a GPU is taken out of work until it is reset or replaced: double-bit
ECC error, failed row remapping or page retirement, NVLink error, fallen off the bus. Source:
NVIDIA, "XID Errors", recommended actions."""

UINT16_MAX: Final = 2**16 - 1
UINT32_MAX: Final = 2**32 - 1
UINT64_MAX: Final = 2**64 - 1
UINT256_MAX: Final = 2**256 - 1

JSON_SAFE_INTEGER: Final = 2**53 - 1
"""Larger integers are strings in JSON: other readers hold numbers as doubles."""

STILL_IN_SERVICE_MS: Final = UINT64_MAX
"""The end of the service window of a GPU that has not been retired."""
