"""`python -m api.gateway`: a gateway, configured by RACKSTREAM_GATEWAY_…

1. Read the settings and the fleet, open the key, look up the contracts, take the port.
2. Start PostgreSQL from its wheel, unless an address of one is given.
3. Serve. The gateway's own start waits for database and node in the background.
4. On SIGTERM or SIGINT finish what is being answered and stop.

Exit status: 0 stopped as told, 1 a fault, 2 the settings do not allow a start.

`python -m api.gateway check` tells instead what stands in the way of a start (see `check`); exit
status 0 if nothing does, else 1.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from contextlib import closing
from typing import Final

import structlog

from api.chain import deployments
from api.chain.clock import ChainClock
from api.checking import findings
from api.clock import Clock, SystemClock
from api.domain.prices import gateway_domain
from api.errors import ConfigurationError, InvalidInput, Unavailable
from api.gateway import check
from api.gateway.app import create_app
from api.gateway.fleet import load_fleet
from api.gateway.service import Gateway, GatewayConfig
from api.serving import logs
from api.serving.listening import listen
from api.serving.running import serve
from api.settings import ClockKind, GatewaySettings, load
from api.store.embedded import database_of

_log = structlog.get_logger("api.gateway")

_CONTRACTS: Final = (
    "Authority",
    "ClusterRegistry",
    "InferencePayments",
    "MetricsOracle",
    "ModelRegistry",
    "Waterfall",
    "X402Settler",
)
"""Those that a gateway works with."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m api.gateway", description="A gateway.")
    parser.add_argument(
        "command",
        nargs="?",
        choices=["check"],
        help="tell what stands in the way of a start; change nothing",
    )
    if parser.parse_args().command == "check":
        return _check()
    logs.configure("info")
    try:
        return _serve(load(GatewaySettings))
    except (ConfigurationError, InvalidInput) as error:
        _log.error("cannot start", code=error.code, error=error.message)
        return 2
    except Unavailable as error:
        _log.error("ended", code=error.code, error=error.message)
        return 1


def _check() -> int:
    logs.configure("error")
    try:
        settings = load(GatewaySettings)
        signer = settings.signer(settings.chain_id)
        deployment = deployments.load(settings.deployments_dir, settings.chain_id)
        for name in _CONTRACTS:
            deployment.address_of(name)
        deployment.stablecoin_address()
    except ConfigurationError as error:
        return findings.refuse(error)
    plan = check.Plan(
        account=signer.address,
        rpc_urls=settings.rpc_urls,
        chain_id=settings.chain_id,
        deployment=deployment,
        fleet=settings.fleet,
        database_url=settings.database_url,
        data_dir=settings.data_dir,
        host=settings.host,
        port=settings.port,
        connect_seconds=settings.connect_s,
        uses_chain_clock=settings.clock is ClockKind.CHAIN,
        max_fee_per_gas=settings.max_fee_per_gas,
        refund_day_usd6=settings.refund_day_usd6,
    )
    return asyncio.run(findings.report(check.examine(plan)))


def _serve(settings: GatewaySettings) -> int:
    signer = settings.signer(settings.chain_id)
    logs.configure(settings.log_level, gateway=signer.address)
    deployment = deployments.load(settings.deployments_dir, settings.chain_id)
    payments = deployment.address_of("InferencePayments")
    fleet = load_fleet(settings.fleet, gateway_domain(settings.chain_id, payments))
    name = f"gateway_{signer.address[2:].lower()}"
    with (
        closing(listen(settings.host, settings.port)) as listening,
        database_of(settings.database_url, settings.data_dir, name) as url,
    ):
        gateway = Gateway(
            GatewayConfig(
                signer=signer,
                rpc_urls=settings.rpc_urls,
                deployment=deployment,
                fleet=fleet,
                database_url=url,
                clock=_clock(settings),
                poll_seconds=settings.poll_ms / 1_000,
                confirmations=settings.depth,
                max_fee_per_gas=settings.max_fee_per_gas,
                collect_seconds=settings.collect_s,
                collect_least_usd6=settings.collect_least_usd6,
                credit_usd6=settings.credit_usd6,
                lock_above_usd6=settings.lock_above_usd6 or None,
                default_max_tokens=settings.default_max_tokens,
                connect_seconds=settings.connect_s,
                first_byte_seconds=settings.first_byte_s,
                idle_seconds=settings.idle_s,
                payees=frozenset(settings.payees),
                least_facilitated_usd6=settings.least_facilitated_usd6,
                refund_day_usd6=settings.refund_day_usd6,
            )
        )
        return serve(
            lambda failed: create_app(gateway, failed, settings.unpaid_per_second),
            listening,
            settings.patience_s,
        )


def _clock(settings: GatewaySettings) -> Clock:
    if settings.clock is ClockKind.CHAIN:
        return ChainClock(settings.rpc_urls[0], settings.chain_id)
    return SystemClock()


if __name__ == "__main__":
    sys.exit(main())
