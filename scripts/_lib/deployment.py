"""The one deployment of the system, used by `ape run deploy`, the tests and the demo.

1. Deploy, in order of need: Authority, stablecoin (local chains only), IdentityRegistry,
   ClusterRegistry, MetricsOracle, Waterfall, CapitalProceeds, HolderDesk, Enforcement,
   ShareExtension, ReporterRegistry, Disputes, ModelRegistry, InferencePayments, X402Settler,
   RelatedParties. A contract that is on record is taken over instead.
2. Write into the Authority what is missing: the role of each restricted function, the roles'
   holders.
3. Hand the Authority to its admin; a deployer who is not the admin keeps no power.

Every step looks at the chain first, so that a run which was cut off is repeated safely, and a run
with nothing left to do sends nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ape import chain
from ape.api import AccountAPI
from ape.contracts import ContractInstance
from eth_utils.address import is_address, to_checksum_address
from eth_utils.crypto import keccak

from scripts._lib import build, roles

LOCAL_CHAIN_ID = 31337


class DeploymentError(Exception):
    """The deployment cannot go on; the message says what is in the way."""


@dataclass(frozen=True)
class RoleHolders:
    """Addresses of the accounts that hold the powers over the system, kept with their checksums.

    Raises DeploymentError if one is no address or the zero address, whose power would be lost.
    """

    admin: str
    registrar: str
    guardian: str
    compliance: str
    oracle_admin: str
    arbiter: str
    kyc_providers: Sequence[str]

    def __post_init__(self) -> None:
        for field in ("admin", "registrar", "guardian", "compliance", "oracle_admin", "arbiter"):
            object.__setattr__(self, field, _checked_address(field, getattr(self, field)))
        providers = tuple(_checked_address("kyc_providers", one) for one in self.kyc_providers)
        object.__setattr__(self, "kyc_providers", providers)

    @classmethod
    def all_to(cls, address: str) -> RoleHolders:
        """One account that holds everything: for a chain of one's own only."""
        return cls(address, address, address, address, address, address, (address,))

    def grants(self) -> list[tuple[int, str]]:
        """(role, account) of every grant, the admin's last."""
        return [
            (roles.REGISTRAR_ROLE, self.registrar),
            (roles.GUARDIAN_ROLE, self.guardian),
            (roles.COMPLIANCE_ROLE, self.compliance),
            (roles.ORACLE_ADMIN_ROLE, self.oracle_admin),
            (roles.ARBITER_ROLE, self.arbiter),
            *((roles.KYC_PROVIDER_ROLE, provider) for provider in self.kyc_providers),
            (roles.ADMIN_ROLE, self.admin),
        ]


@dataclass(frozen=True)
class System:
    """The deployed contracts. The stablecoin speaks the ABI of USDC, which TestUsd has too."""

    authority: ContractInstance
    stablecoin: ContractInstance
    identity: ContractInstance
    registry: ContractInstance
    oracle: ContractInstance
    waterfall: ContractInstance
    capital: ContractInstance
    desk: ContractInstance
    enforcement: ContractInstance
    extension: ContractInstance
    reporter_registry: ContractInstance
    disputes: ContractInstance
    models: ContractInstance
    payments: ContractInstance
    settler: ContractInstance
    related: ContractInstance


class OnDeployed(Protocol):
    """Told of each new contract at once, so that a record survives whatever comes after it."""

    def __call__(
        self, key: str, instance: ContractInstance, arguments: tuple[Any, ...]
    ) -> None: ...


def deploy_system(
    deployer: AccountAPI,
    holders: RoleHolders,
    stablecoin: str | None = None,
    recorded: Mapping[str, str] | None = None,
    on_deployed: OnDeployed | None = None,
) -> System:
    """Deploy what is not recorded, set every role, and hand over to `holders.admin`.

    `stablecoin` is the address of a 6-decimal stablecoin; None deploys TestUsd, on a local chain
    only. `recorded` maps keys (contract names) to addresses of an earlier run.
    Raises DeploymentError if no stablecoin is named off the local chain, a recorded address has no
    code, or roles are missing that the deployer may no longer set.
    """
    known = dict(recorded or {})
    if stablecoin is not None:
        stablecoin = _checked_address("stablecoin", stablecoin)
        if known.setdefault("TestUsd", stablecoin) != stablecoin:
            raise DeploymentError(
                f"stablecoin {stablecoin} was named, but {known['TestUsd']} is recorded"
            )
    elif "TestUsd" not in known and chain.chain_id != LOCAL_CHAIN_ID:
        raise DeploymentError(f"chain {chain.chain_id} is not local: name its stablecoin")

    def place(name: str, *arguments: Any) -> ContractInstance:
        return _place(name, name, arguments, deployer, known, on_deployed)

    authority = place("Authority", deployer.address)
    usd = place("TestUsd")
    identity = place("IdentityRegistry", authority)
    registry = place("ClusterRegistry", authority)
    oracle = place("MetricsOracle", authority, registry)
    waterfall = place("Waterfall", authority, registry, oracle, usd)
    capital = place("CapitalProceeds", registry, waterfall, usd)
    desk = place("HolderDesk", registry)
    enforcement = place("Enforcement", authority, registry, identity)
    extension = place(
        "ShareExtension",
        authority,
        registry,
        identity,
        waterfall,
        usd,
        enforcement,
        desk,
        capital,
    )
    reporter_registry = place("ReporterRegistry", holders.admin, authority, oracle, usd)
    disputes = place("Disputes", holders.admin, authority, registry, oracle, reporter_registry, usd)
    models = place("ModelRegistry")
    payments = place(
        "InferencePayments", holders.admin, authority, registry, waterfall, models, usd
    )
    settler = place("X402Settler", payments, usd)
    related = place("RelatedParties", authority, registry)
    system = System(
        authority,
        usd,
        identity,
        registry,
        oracle,
        waterfall,
        capital,
        desk,
        enforcement,
        extension,
        reporter_registry,
        disputes,
        models,
        payments,
        settler,
        related,
    )
    configure(system, deployer, holders)
    return system


def configure(system: System, deployer: AccountAPI, holders: RoleHolders) -> None:
    """Set the roles that are missing, in one transaction; then the deployer gives up its own.

    Raises DeploymentError if roles are missing and the deployer does not administer the Authority.
    """
    singletons = (
        system.identity,
        system.registry,
        system.oracle,
        system.waterfall,
        system.enforcement,
        system.reporter_registry,
        system.disputes,
        system.payments,
        system.related,
    )
    grants = [
        (roles.CLUSTER_REGISTRY_ROLE, system.registry.address),
        (roles.ENFORCEMENT_ROLE, system.enforcement.address),
        (roles.REPORTER_REGISTRY_ROLE, system.reporter_registry.address),
        (roles.DISPUTES_ROLE, system.disputes.address),
        *holders.grants(),
    ]
    calls = [
        *(call for contract in singletons for call in _function_roles(system.authority, contract)),
        *_role_grants(system.authority, grants),
    ]
    is_admin, _ = system.authority.hasRole(roles.ADMIN_ROLE, deployer)
    if calls:
        if not is_admin:
            raise DeploymentError(
                f"{len(calls)} roles are not set and {deployer.address} no longer administers"
                f" the Authority at {system.authority.address}: its admin has to set them"
            )
        system.authority.multicall(calls, sender=deployer)
    if is_admin and deployer.address != holders.admin:
        system.authority.renounceRole(roles.ADMIN_ROLE, deployer, sender=deployer)


def deploy_share(
    system: System,
    cluster_id: int,
    name: str,
    symbol: str,
    deployer: AccountAPI,
    recorded: Mapping[str, str] | None = None,
    on_deployed: OnDeployed | None = None,
) -> ContractInstance:
    """The ClusterShare of a cluster, which the registrar has yet to register.

    Its key for `recorded` and `on_deployed` is "ClusterShare:<cluster id>".
    """
    arguments = (name, symbol, cluster_id, system.extension)
    key = f"ClusterShare:{cluster_id}"
    return _place(key, "ClusterShare", arguments, deployer, recorded or {}, on_deployed)


def selector(contract: ContractInstance, function: str) -> bytes:
    """The 4-byte selector of the only state-changing function of that name."""
    found = [abi for abi in contract.contract_type.mutable_methods if abi.name == function]
    if len(found) != 1:
        raise DeploymentError(
            f"{contract.contract_type.name} has {len(found)} functions named {function}, not 1"
        )
    return keccak(text=found[0].selector)[:4]


def _checked_address(what: str, address: str) -> str:
    """`address` with its checksum."""
    if not is_address(address) or int(address, 16) == 0:
        raise DeploymentError(f"{what}: {address!r} is not the address of an account")
    return str(to_checksum_address(address))


def _place(
    key: str,
    name: str,
    arguments: tuple[Any, ...],
    deployer: AccountAPI,
    recorded: Mapping[str, str],
    on_deployed: OnDeployed | None,
) -> ContractInstance:
    container = build.contracts()[name]
    address = recorded.get(key)
    if address is not None:
        if not chain.provider.get_code(address):
            raise DeploymentError(f"{key} is recorded at {address}, where there is no contract")
        return container.at(address)
    instance = deployer.deploy(container, *arguments)
    if on_deployed is not None:
        on_deployed(key, instance, arguments)
    return instance


def _function_roles(authority: ContractInstance, contract: ContractInstance) -> Iterable[bytes]:
    """The calls that give each restricted function of `contract` its role, where it has another."""
    missing: dict[int, list[bytes]] = {}
    for function, role in roles.RESTRICTED.get(contract.contract_type.name or "", {}).items():
        chosen = selector(contract, function)
        if authority.getTargetFunctionRole(contract, chosen) != role:
            missing.setdefault(role, []).append(chosen)
    for role, selectors in missing.items():
        yield authority.setTargetFunctionRole.encode_input(contract.address, selectors, role)


def _role_grants(authority: ContractInstance, grants: Iterable[tuple[int, str]]) -> Iterable[bytes]:
    for role, account in grants:
        is_member, _ = authority.hasRole(role, account)
        if not is_member:
            yield authority.grantRole.encode_input(role, account, 0)
