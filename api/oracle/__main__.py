"""`python -m api.oracle`: one reporter, configured by RACKSTREAM_ORACLE_…

1. Read the settings, open the keys, look up the contracts, take the port.
2. Start PostgreSQL from its wheel, unless an address of one is given.
3. Serve. The reporter's own start waits for database and node in the background.
4. On SIGTERM or SIGINT finish what is being answered and stop.

Exit status: 0 stopped as told, 1 a fault, 2 the settings do not allow a start.

`python -m api.oracle check` tells instead what stands in the way of a start (see `check`); exit
status 0 if nothing does, else 1. `python -m api.oracle possession --operator ADDRESS` prints the
key's proof that it is this operator's, which the ReporterRegistry asks for.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from contextlib import closing
from typing import Final

import structlog

from api.chain import deployments
from api.chain.deployments import Deployment
from api.checking import findings
from api.domain.codec import parse_address, to_hex
from api.domain.eip712 import reporter_registry_domain
from api.domain.reports import possession_message
from api.domain.signing import Signer
from api.errors import ConfigurationError, InvalidInput, Unavailable
from api.keys import RemoteKey
from api.oracle import check
from api.oracle.app import create_app
from api.oracle.service import Reporter, ReporterConfig
from api.sending.remote_signer import RemoteSigner
from api.sending.signers import LocalSigner, SigningAccount
from api.serving import logs
from api.serving.listening import listen
from api.serving.running import serve
from api.settings import ClockKind, OracleSettings, load
from api.store.embedded import database_of

_log = structlog.get_logger("api.oracle")

_CONTRACTS: Final = (
    "MetricsOracle",
    "ClusterRegistry",
    "RelatedParties",
    "Waterfall",
    "InferencePayments",
    "X402Settler",
)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m api.oracle", description="A reporter.")
    parser.add_argument(
        "command",
        nargs="?",
        choices=["check", "possession"],
        help="tell what stands in the way of a start, or prove whose the key is; change nothing",
    )
    parser.add_argument("--operator", help="address of the account that registers the key")
    arguments = parser.parse_args()
    if (arguments.operator is None) == (arguments.command == "possession"):
        parser.error("--operator belongs to possession")
    if arguments.command == "check":
        return _check()
    logs.configure("info")
    try:
        if arguments.command == "possession":
            return _prove_possession(load(OracleSettings), arguments.operator)
        return _serve(load(OracleSettings))
    except (ConfigurationError, InvalidInput) as error:
        _log.error("cannot start", code=error.code, error=error.message)
        return 2
    except Unavailable as error:
        _log.error("ended", code=error.code, error=error.message)
        return 1


def _check() -> int:
    logs.configure("error")
    try:
        settings = load(OracleSettings)
        deployment = _deployment(settings)
        signer, transmitter = _accounts(settings)
        plan = check.Plan(
            signer=signer,
            transmitter=transmitter,
            rpc_urls=settings.rpc_urls,
            chain_id=settings.chain_id,
            deployment=deployment,
            database_url=settings.database_url,
            data_dir=settings.data_dir,
            host=settings.host,
            port=settings.port,
            peers=settings.peers,
            peer_timeout_seconds=settings.peer_timeout_s,
            uses_chain_clock=settings.clock is ClockKind.CHAIN,
            max_fee_per_gas=settings.max_fee_per_gas,
        )
    except ConfigurationError as error:
        return findings.refuse(error)
    return asyncio.run(findings.report(check.examine(plan)))


def _prove_possession(settings: OracleSettings, operator: str) -> int:
    signer, _ = _accounts(settings)
    deployment = deployments.load(settings.deployments_dir, settings.chain_id)
    domain = reporter_registry_domain(settings.chain_id, deployment.address_of("ReporterRegistry"))
    owner = parse_address(operator, "operator")
    print(to_hex(asyncio.run(signer.sign(possession_message(domain, owner, signer.address)))))
    return 0


def _deployment(settings: OracleSettings) -> Deployment:
    """What is deployed, with all that a reporter reads. Raises ConfigurationError."""
    deployment = deployments.load(settings.deployments_dir, settings.chain_id)
    for name in _CONTRACTS:
        deployment.address_of(name)
    deployment.stablecoin_address()
    return deployment


def _accounts(settings: OracleSettings) -> tuple[SigningAccount, SigningAccount]:
    """Who signs reports and who transmits. Raises KeyRefused."""
    signer = _account(settings.signing_key(), settings)
    key = settings.transmitting_key()
    return signer, signer if key is None else _account(key, settings)


def _account(key: Signer | RemoteKey, settings: OracleSettings) -> SigningAccount:
    if isinstance(key, Signer):
        return LocalSigner(key)
    return RemoteSigner(key.url, key.address, timeout_seconds=settings.signer_timeout_s)


def _serve(settings: OracleSettings) -> int:
    signer, transmitter = _accounts(settings)
    logs.configure(settings.log_level, reporter=signer.address)
    deployment = _deployment(settings)
    name = f"reporter_{signer.address[2:].lower()}"
    with (
        closing(listen(settings.host, settings.port)) as listening,
        database_of(settings.database_url, settings.data_dir, name) as url,
    ):
        config = ReporterConfig(
            signer=signer,
            transmitter=transmitter,
            rpc_urls=settings.rpc_urls,
            chain_id=settings.chain_id,
            deployment=deployment,
            database_url=url,
            peers=settings.peers,
            uses_chain_clock=settings.clock is ClockKind.CHAIN,
            poll_seconds=settings.poll_ms / 1_000,
            peer_timeout_seconds=settings.peer_timeout_s,
            confirmations=settings.depth,
            max_fee_per_gas=settings.max_fee_per_gas,
        )
        reporter = Reporter(config)
        return serve(lambda failed: create_app(reporter, failed), listening)


if __name__ == "__main__":
    sys.exit(main())
