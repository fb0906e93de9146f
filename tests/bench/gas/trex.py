"""T-REX, as its factory deploys it: verified holders, modular compliance, proxies."""

from __future__ import annotations

import json

from eth_account import Account
from eth_account.messages import encode_defunct
from eth_utils.crypto import keccak

from tests.bench.gas.chain import Chain, calldata, packed
from tests.bench.gas.cluster import BATCH, Ground, System, batches
from tests.bench.gas.compiler import CompilationFailed, Compiler
from tests.bench.gas.packages import MODULES
from tests.bench.gas.push import PushedCluster, PushPayments

PACKAGE = "@tokenysolutions/t-rex"
ONCHAINID = "@onchain-id/solidity/contracts"
AUTHORS = Compiler(
    version="0.8.17",
    package=MODULES / "solc-0.8.17",
    base=MODULES,
    evm="london",
    runs=200,
    remappings={
        "@openzeppelin/contracts/": "openzeppelin-4/",
        "@openzeppelin/contracts-upgradeable/": "openzeppelin-upgradeable-4/",
    },
)
"""The sources are pinned to this version, which knows no later EVM."""

SOURCES = [
    f"{PACKAGE}/contracts/{path}.sol"
    for path in (
        "factory/TREXFactory",
        "proxy/authority/TREXImplementationAuthority",
        "token/Token",
        "registry/implementation/ClaimTopicsRegistry",
        "registry/implementation/IdentityRegistry",
        "registry/implementation/IdentityRegistryStorage",
        "registry/implementation/TrustedIssuersRegistry",
        "compliance/modular/ModularCompliance",
        "compliance/modular/modules/CountryAllowModule",
        "compliance/modular/modules/MaxBalanceModule",
        "compliance/modular/modules/ModuleProxy",
    )
] + [
    f"{ONCHAINID}/{path}.sol"
    for path in (
        "ClaimIssuer",
        "Identity",
        "factory/IdFactory",
        "proxy/ImplementationAuthority",
    )
]

IMPLEMENTATIONS = (
    "Token",
    "ClaimTopicsRegistry",
    "IdentityRegistry",
    "IdentityRegistryStorage",
    "TrustedIssuersRegistry",
    "ModularCompliance",
)
"""In the order of TREXContracts."""

KYC = 1
"""The claim that every holder has to have, signed by the one trusted issuer."""
ECDSA, CLAIM_SIGNER = 1, 3
NETHERLANDS = 528
MAX_BALANCE = 10**18
CLAIM = b"KYC passed"
NOBODY = "0x" + "00" * 20


class TrexCluster(PushedCluster):
    ISSUE = "batchMint(address[],uint256[])"
    LIGHT_ISSUE = False

    def __init__(
        self, ground: Ground, share: str, payments: PushPayments, registry: str, system: Trex
    ) -> None:
        super().__init__(ground, share, payments)
        self._registry = registry
        self._system = system

    def admit(self, holders: list[str]) -> None:
        """Each of the first has an ONCHAINID of their own; the others are their further wallets."""
        chain, issuer = self.ground.chain, self.ground.issuer
        identities = [self._system.identity_of(holder) for holder in holders[:BATCH]]
        signature = "batchRegisterIdentity(address[],address[],uint16[])"
        for batch in batches(holders):
            theirs, countries = identities[: len(batch)], [NETHERLANDS] * len(batch)
            chain.send(issuer, self._registry, signature, batch, theirs, countries)


class Trex(System):
    name = "t-rex"
    title = "T-REX 4.1.6 (ERC-3643)"
    use = (
        "one KYC claim of one trusted issuer, CountryAllow and MaxBalance modules, no votes; "
        + PushedCluster.USE
    )

    def __init__(self, ground: Ground, payments: PushPayments) -> None:
        self.built = AUTHORS.words
        self._ground = ground
        self._payments = payments
        self._identities: dict[str, str] = {}
        self._code = AUTHORS.compile(*SOURCES)
        _check_settings(self._code["Token"])
        self._signer = Account.from_key(keccak(text="claim issuer of the bench"))
        chain, issuer = ground.chain, ground.issuer
        identity = self._deploy("Identity", "(address,bool)", issuer, True)
        authority = self._deploy("ImplementationAuthority", "(address)", identity)
        self._id_factory = self._deploy("IdFactory", "(address)", authority)
        self._claim_issuer = self._deploy("ClaimIssuer", "(address)", issuer)
        key = keccak(packed("(address)", self._signer.address))
        signature = "addKey(bytes32,uint256,uint256)"
        chain.send(issuer, self._claim_issuer, signature, key, CLAIM_SIGNER, ECDSA)
        self._modules = [self._module("CountryAllowModule"), self._module("MaxBalanceModule")]
        self._factory = self._suite_factory()
        chain.send(issuer, self._id_factory, "addTokenFactory(address)", self._factory)

    def _deploy(self, name: str, types: str = "()", *arguments: object) -> str:
        ground = self._ground
        return ground.chain.deploy(ground.issuer, self._code[name], types, *arguments)

    def _module(self, name: str) -> str:
        logic = self._deploy(name)
        return self._deploy("ModuleProxy", "(address,bytes)", logic, calldata("initialize()"))

    def _suite_factory(self) -> str:
        chain, issuer = self._ground.chain, self._ground.issuer
        types = "(bool,address,address)"
        authority = self._deploy("TREXImplementationAuthority", types, True, NOBODY, NOBODY)
        contracts = tuple(self._deploy(name) for name in IMPLEMENTATIONS)
        members = ",".join(["address"] * len(contracts))
        signature = f"addAndUseTREXVersion((uint8,uint8,uint8),({members}))"
        chain.send(issuer, authority, signature, (4, 1, 6), contracts)
        factory = self._deploy("TREXFactory", "(address,address)", authority, self._id_factory)
        chain.send(issuer, authority, "setTREXFactory(address)", factory)
        return factory

    def open(self) -> TrexCluster:
        chain, issuer = self._ground.chain, self._ground.issuer
        salt = f"cluster {chain.now}"
        settings = [
            calldata("batchAllowCountries(uint16[])", [NETHERLANDS]),
            calldata("setMaxBalance(uint256)", MAX_BALANCE),
        ]
        token = (issuer, "Cluster", "RACK", 6, NOBODY, NOBODY, [issuer], [issuer])
        chain.send(
            issuer,
            self._factory,
            "deployTREXSuite(string,(address,string,string,uint8,address,address,address[],"
            "address[],address[],bytes[]),(uint256[],address[],uint256[][]))",
            salt,
            (*token, self._modules, settings),
            ([KYC], [self._claim_issuer], [[KYC]]),
        )
        share = chain.ask(self._factory, "getToken(string)", "address", salt)
        registry = chain.ask(share, "identityRegistry()", "address")
        chain.send(issuer, share, "unpause()")
        return TrexCluster(self._ground, share, self._payments, registry, self)

    def identity_of(self, holder: str) -> str:
        """The holder's ONCHAINID with the KYC claim, made when it is first asked for."""
        if holder not in self._identities:
            chain = self._ground.chain
            signature = "createIdentity(address,string)"
            chain.send(self._ground.issuer, self._id_factory, signature, holder, holder)
            identity = chain.ask(self._id_factory, "getIdentity(address)", "address", holder)
            self._add_claim(chain, holder, identity)
            self._identities[holder] = identity
        return self._identities[holder]

    def _add_claim(self, chain: Chain, holder: str, identity: str) -> None:
        digest = keccak(packed("(address,uint256,bytes)", identity, KYC, CLAIM))
        signed = self._signer.sign_message(encode_defunct(digest))
        chain.send(
            holder,
            identity,
            "addClaim(uint256,uint256,address,bytes,bytes,string)",
            *(KYC, ECDSA, self._claim_issuer, bytes(signed.signature), CLAIM, ""),
        )


def _check_settings(token: str) -> None:
    """That our compilation is what the authors published, but for the metadata's digest."""
    artifact = MODULES / PACKAGE / "artifacts" / "contracts" / "token" / "Token.sol" / "Token.json"
    published = json.loads(artifact.read_text())["bytecode"].removeprefix("0x")
    metadata = 2 * 53
    if token[:-metadata] != published[:-metadata]:
        raise CompilationFailed("T-REX's Token is not what its authors published")
