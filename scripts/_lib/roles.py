"""Who may call what: every state-changing function of every contract, by the power that it needs.

`contracts/access/Powers.sol` says what each power is; the constants here are the same numbers. The
deployment writes RESTRICTED into the Authority. The tests hold all three tables against the ABIs,
so that a function which is in none of them fails the build, and call every function as everybody.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

ADMIN_ROLE: Final = 0
REGISTRAR_ROLE: Final = 1 << 32
GUARDIAN_ROLE: Final = 2 << 32
KYC_PROVIDER_ROLE: Final = 3 << 32
COMPLIANCE_ROLE: Final = 4 << 32
ORACLE_ADMIN_ROLE: Final = 5 << 32
CLUSTER_REGISTRY_ROLE: Final = 6 << 32
ENFORCEMENT_ROLE: Final = 7 << 32
ENCUMBRANCER_ROLE: Final = 8 << 32
REPORTER_REGISTRY_ROLE: Final = 9 << 32
ARBITER_ROLE: Final = 10 << 32
DISPUTES_ROLE: Final = 11 << 32

ISSUER: Final = 64
OPERATOR: Final = 65
TRUSTEE: Final = 66
TRANSFER_AGENT: Final = 67

_NAMES: Final[Mapping[int, str]] = {
    ADMIN_ROLE: "admin",
    REGISTRAR_ROLE: "registrar",
    GUARDIAN_ROLE: "guardian",
    KYC_PROVIDER_ROLE: "KYC provider",
    COMPLIANCE_ROLE: "compliance",
    ORACLE_ADMIN_ROLE: "oracle admin",
    CLUSTER_REGISTRY_ROLE: "cluster registry",
    ENFORCEMENT_ROLE: "enforcement",
    ENCUMBRANCER_ROLE: "taker of pledges",
    REPORTER_REGISTRY_ROLE: "reporter registry",
    ARBITER_ROLE: "arbiter",
    DISPUTES_ROLE: "disputes",
    ISSUER: "issuer",
    OPERATOR: "operator",
    TRUSTEE: "trustee",
    TRANSFER_AGENT: "transfer agent",
}

MAX_CLUSTER_ID: Final = 2**32 - 1

Functions = Mapping[str, Mapping[str, int]]
"""Contract name → function name → role or power."""

RESTRICTED: Final[Functions] = {
    "ClusterRegistry": {
        "registerCluster": REGISTRAR_ROLE,
        "registerShare": REGISTRAR_ROLE,
        "openFunding": REGISTRAR_ROLE,
        "suspend": REGISTRAR_ROLE,
        "resume": REGISTRAR_ROLE,
        "replaceIssuer": REGISTRAR_ROLE,
    },
    "IdentityRegistry": {
        "revokeWallet": COMPLIANCE_ROLE,
        "revokeInvestor": COMPLIANCE_ROLE,
        "blockWallet": ENFORCEMENT_ROLE,
    },
    "InferencePayments": {
        "pauseInflow": GUARDIAN_ROLE,
        "resumeInflow": GUARDIAN_ROLE,
        "schedulePlatformFee": ADMIN_ROLE,
    },
    "MetricsOracle": {
        "setReporters": REPORTER_REGISTRY_ROLE,
        "setDisputeWindow": ORACLE_ADMIN_ROLE,
        "hold": DISPUTES_ROLE,
        "settle": DISPUTES_ROLE,
    },
    "Disputes": {
        "rule": ARBITER_ROLE,
    },
    "RelatedParties": {"end": REGISTRAR_ROLE},
    "ReporterRegistry": {
        "penalise": DISPUTES_ROLE,
        "scheduleSet": ORACLE_ADMIN_ROLE,
        "withdrawSet": ORACLE_ADMIN_ROLE,
    },
    "Waterfall": {
        "pauseInflow": GUARDIAN_ROLE,
        "resumeInflow": GUARDIAN_ROLE,
    },
}
"""Functions guarded by `restricted`: the system role that the Authority asks for."""

OVER_CLUSTER: Final[Functions] = {
    "ClusterRegistry": {
        "goLive": ISSUER,
        "retire": ISSUER,
        "scheduleSpec": ISSUER,
        "withdrawSpec": ISSUER,
    },
    "ClusterShare": {"issue": ISSUER},
    "Enforcement": {
        "freeze": TRANSFER_AGENT,
        "confirmFreeze": TRUSTEE,
        "waiveCooldown": TRUSTEE,
        "proposeForcedTransfer": TRANSFER_AGENT,
        "proposeRecovery": TRANSFER_AGENT,
    },
    "IdentityRegistry": {
        "scheduleLimits": ISSUER,
        "scheduleCountries": ISSUER,
        "withdrawRules": ISSUER,
    },
    "Waterfall": {
        "appendTranche": ISSUER,
        "withdrawOperatingCost": OPERATOR,
        "drawReserve": TRUSTEE,
    },
}
"""Functions guarded by `onlyPower`: the power that the caller needs over the cluster concerned."""

OPEN: Final[Mapping[str, frozenset[str]]] = {
    "CapitalProceeds": frozenset({"depositProceeds", "claimCapital", "settle"}),
    "ClusterRegistry": frozenset(),
    "Disputes": frozenset(
        {
            "challenge",
            "refuteByRoot",
            "refuteByHardware",
            "refuteByEnergy",
            "lapse",
            "penalise",
            "pay",
        }
    ),
    "Enforcement": frozenset(
        {
            "unfreeze",
            "lapseFreeze",
            "freezeBlocked",
            "confirmOrder",
            "cancelOrder",
            "executeOrder",
        }
    ),
    "HolderDesk": frozenset(
        {
            "claimMany",
            "claimWithAuthorization",
            "encumberWithAuthorization",
            "approveWithAuthorization",
            "delegateWithAuthorization",
            "cancelAuthorization",
        }
    ),
    "IdentityRegistry": frozenset({"attest", "applyRules", "beforeMove"}),
    "InferencePayments": frozenset(
        {
            "deposit",
            "depositFor",
            "depositWithPermit",
            "depositWithAuthorization",
            "refund",
            "refundWithAuthorization",
            "requestWithdrawal",
            "withdraw",
            "authorise",
            "authoriseWithSignature",
            "revoke",
            "lock",
            "release",
            "collect",
            "pay",
            "forward",
            "payRoyalty",
            "payTreasury",
        }
    ),
    "MetricsOracle": frozenset({"postReport", "finalize"}),
    "ModelRegistry": frozenset({"register", "setRoyalty", "setPayTo"}),
    "RelatedParties": frozenset({"declare"}),
    "ReporterRegistry": frozenset(
        {
            "register",
            "addBond",
            "scheduleSigner",
            "activate",
            "requestExit",
            "withdrawBond",
            "proveEquivocation",
            "pay",
        }
    ),
    "Waterfall": frozenset({"receiveIncome", "distribute", "withdrawTranche", "applySpec"}),
    "ClusterShare": frozenset(
        {
            "transfer",
            "transferFrom",
            "approve",
            "permit",
            "delegate",
            "delegateBySig",
            "burn",
            "claim",
            "claimFor",
            "claimAssigned",
            "claimTo",
            "setPayee",
            "fund",
            "approveFor",
            "delegateFor",
            "encumber",
            "encumberFrom",
            "encumberUntil",
            "encumberFor",
            "assignIncome",
            "release",
            "releaseExpired",
            "setFrozenTokens",
            "forcedTransfer",
            "recover",
            "closeBooks",
        }
    ),
    "X402Settler": frozenset({"settle", "settleAhead", "allocate", "passOn", "sweep"}),
}
"""Functions that ask no role: the caller's own assets, a signature inside, or nobody's advantage.
`ClusterShare.fund` serves the Waterfall alone and checks its address, as `claimTo` and what ends in
`For` (but `claimFor`) do the HolderDesk's, and the three of orders Enforcement's; whoever calls
`beforeMove` moves a count of holders that is kept under its own address. `Enforcement.unfreeze` and
`cancelOrder` serve either of two powers, `RelatedParties.declare` an issuer, the registrar and the
account itself, `setRoyalty` and `setPayTo` a model's owner, `confirmOrder` and `cancelOrder` name
an order instead of a cluster: they check inside."""


def over(power: int, cluster_id: int) -> int:
    """The role of holding `power` over a cluster, below 2^32 and not 0."""
    if not 1 <= cluster_id <= MAX_CLUSTER_ID:
        raise ValueError(f"cluster id {cluster_id} is outside 1 to {MAX_CLUSTER_ID}")
    return power << 32 | cluster_id


def name_of(role: int) -> str | None:
    """A power or role in words; None if it is none."""
    power, cluster_id = role >> 32, role & MAX_CLUSTER_ID
    if role in _NAMES:
        return _NAMES[role]
    if power in _NAMES and cluster_id:
        return f"{_NAMES[power]} of cluster {cluster_id}"
    return None
