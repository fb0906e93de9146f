"""`python -m api.client`: a customer of a gateway, configured by RACKSTREAM_CLIENT_…

    chat --gateway URL --limit DOLLARS PROMPT    ask, and pay by vouchers up to the limit
    session --limit DOLLARS --days N             make a session key; prints it as an API key
    deposit DOLLARS                              add to the balance for inference
    balance                                      what is there

Exit status: 0 done, 1 refused or out of reach, 2 the settings or the arguments do not allow it.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import secrets
import sys
from collections.abc import Awaitable, Callable
from typing import Final

import httpx

from api.chain import deployments
from api.chain.client import ChainClient
from api.client.agent import ask
from api.client.promises import Promises, Terms
from api.client.transport import PayingTransport
from api.client.wallet import Wallet
from api.domain.api_key import ApiKey
from api.domain.signing import Signer
from api.errors import ConfigurationError, DeploymentMissing, RackstreamError
from api.settings import ClientSettings, load

_DAY: Final = 86_400
_DOLLARS: Final = re.compile(r"([0-9]{1,10})(?:\.([0-9]{1,6}))?\Z")


def main() -> int:
    arguments = _arguments()
    try:
        settings = load(ClientSettings)
        terms = _terms(settings)
        if arguments.command == "chat":
            return _chat(arguments, settings, terms)
        return asyncio.run(_act(arguments, settings, terms))
    except RackstreamError as error:
        print(f"{error.code}: {error.message}", file=sys.stderr)
        return 2 if isinstance(error, ConfigurationError) else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m api.client", description="Pay for inference.")
    commands = parser.add_subparsers(dest="command", required=True)
    chat = commands.add_parser("chat", help="ask, and pay by vouchers up to a limit")
    chat.add_argument("--gateway", required=True, help="its URL, without /v1")
    chat.add_argument("--limit", type=_usd6, required=True, help="dollars")
    chat.add_argument("--model", help="without it the first that the gateway names")
    chat.add_argument("--max-tokens", type=int, default=256)
    chat.add_argument("prompt")
    session = commands.add_parser("session", help="make a session key; prints it as an API key")
    session.add_argument("--limit", type=_usd6, required=True, help="dollars that it may spend")
    session.add_argument("--days", type=int, default=30, help="for how long")
    deposit = commands.add_parser("deposit", help="add to the balance for inference")
    deposit.add_argument("amount", type=_usd6, help="dollars")
    commands.add_parser("balance", help="what is there")
    return parser.parse_args()


def _usd6(text: str) -> int:
    found = _DOLLARS.match(text)
    if found is None or not (amount := int(found[1]) * 10**6 + int((found[2] or "").ljust(6, "0"))):
        raise argparse.ArgumentTypeError(f"{text!r} is no amount of dollars with six decimals")
    return amount


def _terms(settings: ClientSettings) -> Terms:
    deployment = deployments.load(settings.deployments_dir, settings.chain_id)
    if deployment.stablecoin is None:
        raise DeploymentMissing(settings.chain_id, "stablecoin")
    return Terms(
        settings.chain_id,
        deployment.address_of("InferencePayments"),
        settings.gateway,
        deployment.stablecoin,
    )


def _chat(arguments: argparse.Namespace, settings: ClientSettings, terms: Terms) -> int:
    signer, payer = settings.channel()
    promises = Promises(terms, signer, payer, limit_usd6=arguments.limit)
    transport = PayingTransport(arguments.gateway, promises)
    with httpx.Client(
        transport=transport, base_url=arguments.gateway, timeout=settings.timeout_s
    ) as http:
        answered = ask(
            http, arguments.prompt, model=arguments.model, max_tokens=arguments.max_tokens
        )
    print(answered.text)
    charge = "not told" if answered.charge_usd6 is None else _dollars(answered.charge_usd6)
    print(f"charge {charge}, receipt {answered.receipt_id or 'not told'}", file=sys.stderr)
    return 0


async def _act(arguments: argparse.Namespace, settings: ClientSettings, terms: Terms) -> int:
    """What the payer's own key does on chain."""
    client = ChainClient(settings.rpc_url, chain_id=settings.chain_id)
    acts: dict[str, Callable[[argparse.Namespace, Wallet], Awaitable[None]]] = {
        "session": _make_session,
        "deposit": _deposit,
        "balance": _show,
    }
    try:
        await client.connect()
        wallet = Wallet(client, settings.signer(settings.chain_id), terms)
        await acts[arguments.command](arguments, wallet)
    finally:
        await client.close()
    return 0


async def _make_session(arguments: argparse.Namespace, wallet: Wallet) -> None:
    """The key is printed once it may spend, and is nowhere else."""
    secret = secrets.token_bytes(32)
    expires_at = await wallet.now() + arguments.days * _DAY
    await wallet.authorise(Signer(secret).address, arguments.limit, expires_at)
    print(ApiKey(wallet.address, secret).text())


async def _deposit(arguments: argparse.Namespace, wallet: Wallet) -> None:
    await wallet.deposit(arguments.amount)
    await _show(arguments, wallet)


async def _show(_arguments: argparse.Namespace, wallet: Wallet) -> None:
    account = await wallet.account()
    print(f"{wallet.address} has {_dollars(account.balance_usd6)} for inference")
    if account.requested_usd6:
        print(f"  of it {_dollars(account.requested_usd6)} is to be withdrawn")
    print(f"  and {_dollars(await wallet.dollars())} of its own")


def _dollars(usd6: int) -> str:
    return f"${usd6 // 10**6:,}.{usd6 % 10**6:06d}"


if __name__ == "__main__":
    sys.exit(main())
