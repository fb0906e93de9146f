"""Ape without what it asks anew at every transaction, and tests know: more than half of their time.

Ape serves any network and takes nothing for granted. Here a node of our own mines at once what
contracts that exist are sent, at a price that is known. What runs in a process of its own (scripts,
the demo) meets ape as it is.
"""

from __future__ import annotations

from functools import partialmethod
from typing import Final

import requests
from ape.api import NetworkAPI, PluginConfig, ProviderAPI, ReceiptAPI
from ape.contracts.base import ContractMethodHandler
from ape_ethereum import Ethereum
from ape_ethereum import provider as ape_provider
from ape_ethereum.trace import Trace
from ape_ethereum.transactions import TransactionType
from ape_foundry.provider import FoundryProvider
from web3.eth import Eth

from scripts._lib.processes import free_ports

BLOCK_GAS: Final = 30_000_000
"""The most that a transaction may use: all that Anvil lets into a block."""

MAX_FEE: Final = 10**10
"""In wei for a unit of gas. Anvil asks 10⁹ at first and then ever less, or nothing at all."""

POLL_SECONDS: Final = 0.005
"""Between two looks for a receipt. Anvil answers a transaction a moment before it has mined it."""


def make_lean(past_states: str) -> None:
    """Let ape know what is always so in tests, and Anvil keep its past states in that folder."""
    _read_settings_once()
    _ask_for_no_proxies()
    _ask_the_node_less()
    _tell_less()
    _keep_past_states_in(past_states)
    _start_at_a_free_port()


def _read_settings_once() -> None:
    """They stay the same; ape makes them from all of the environment, some times a transaction."""
    of_provider, of_network = ProviderAPI.settings.fget, NetworkAPI.config.fget
    settings: dict[tuple[type, str], PluginConfig] = {}
    configs: dict[tuple[str, str], PluginConfig] = {}

    def settings_of(provider: ProviderAPI) -> PluginConfig:
        key = type(provider), repr(provider.provider_settings)
        if key not in settings:
            settings[key] = of_provider(provider)
        return settings[key]

    def config_of(network: NetworkAPI) -> PluginConfig:
        key = network.ecosystem.name, network.name
        if key not in configs:
            configs[key] = of_network(network)
        return configs[key]

    ProviderAPI.settings = property(settings_of)
    NetworkAPI.config = property(config_of)


def _ask_for_no_proxies() -> None:
    """Requests would look through the environment before every call of a node on this machine."""
    build = requests.Session.__init__

    def init(self: requests.Session) -> None:
        build(self)
        self.trust_env = False

    requests.Session.__init__ = init  # type: ignore[method-assign]


def _ask_the_node_less() -> None:
    wait = partialmethod(Eth.wait_for_transaction_receipt, poll_latency=POLL_SECONDS)
    known: dict[type, dict[str, object]] = {
        FoundryProvider: {
            "max_gas": BLOCK_GAS,
            "base_fee": MAX_FEE,
            "priority_fee": 0,
            "auto_mine": True,
        },
        Ethereum: {"default_transaction_type": TransactionType.DYNAMIC},
        ReceiptAPI: {"_await_sender_nonce_increment": lambda _: None},
        ContractMethodHandler: {"_validate_is_contract": lambda _: None},
        Eth: {"wait_for_transaction_receipt": wait},
    }
    for owner, answers in known.items():
        for name, answer in answers.items():
            setattr(owner, name, answer)


def _tell_less() -> None:
    """No trace of a transaction for what its contract logs to a console, nor of a refused one."""
    ape_provider._post_send_transaction = lambda *_: None
    Trace.show = lambda *_arguments, **_options: None  # type: ignore[method-assign]


def _start_at_a_free_port() -> None:
    """Ape draws one and does not look: if it is taken, Anvil ends and ape waits in vain."""
    start = FoundryProvider._start

    def start_there(self: FoundryProvider) -> None:
        if self._host == "auto":
            self._host = f"http://127.0.0.1:{free_ports(1)[0]}"
        start(self)  # type: ignore[no-untyped-call]

    FoundryProvider._start = start_there  # type: ignore[method-assign]


def _keep_past_states_in(folder: str) -> None:
    """Anvil lays hundreds of megabytes on disk in a session, and leaves them behind."""
    build = FoundryProvider.build_command

    def build_command(self: FoundryProvider) -> list[str]:
        return [*build(self), "--cache-path", folder]

    FoundryProvider.build_command = build_command  # type: ignore[method-assign]
