"""What is where when everything is up, and how to try it: label and value, a line each."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

from api.domain.api_key import ApiKey
from api.types import EPOCH_SECONDS
from scripts._lib import cast
from scripts._lib.cast import Account
from scripts._lib.opening import MODEL, Opened
from scripts._lib.stack import Stack, Till

_QUESTION = "What is a rack?"


def signposts(
    opened: Opened,
    stack: Stack,
    till: Till,
    *,
    rpc_url: str,
    deployments: Path,
    logs: Path,
    hours: int,
    trial: Account,
) -> list[tuple[str, str]]:
    """`hours` were measured at once; `trial` is a session key of the first customer."""
    first = stack.reporters[0].url
    key = ApiKey(cast.CUSTOMERS[0].address, trial.key).text()
    since = opened.first_epoch * EPOCH_SECONDS
    query = f"from={since}&to={since + hours * EPOCH_SECONDS}&step={EPOCH_SECONDS}"
    return [
        ("chain", f"{rpc_url}  (chain id {opened.chain_id})"),
        *(
            (f"{endpoint.account.name}, REST docs", f"{endpoint.url}/docs")
            for endpoint in stack.reporters
        ),
        ("first hours' metrics", f"{first}/v1/clusters/{opened.cluster_id}/metrics?{query}"),
        ("leakage, wash revenue", f"{first}/v1/clusters/{opened.cluster_id}/quality"),
        ("Prometheus", f"{first}/metrics"),
        ("gateway, REST docs", f"{till.url}/docs"),
        ("gateway, Prometheus", f"{till.url}/metrics"),
        ("language model's server", till.upstream_url),
        ("prices and servers", str(till.fleet)),
        ("an API key to try", key),
        ("a paid request", _curl(till, key)),
        ("the same by vouchers", _chat(opened, deployments, till, key)),
        ("investors' console", f"make console RPC_URL={rpc_url}"),
        ("a holder, in the console", f'portfolio("{cast.HOLDERS[0].address}")'),
        ("inference, in the console", f"inference({opened.cluster_id})"),
        ("a request's dollars, there", f'trace("<Receipt-Id>", "{till.url}")'),
        ("contracts on record", str(deployments / f"{opened.chain_id}.json")),
        ("logs", str(logs)),
    ]


def _curl(till: Till, key: str) -> str:
    body = {"model": MODEL, "messages": [{"role": "user", "content": _QUESTION}]}
    url = f"{till.url}/v1/chat/completions"
    given = ["-H", f"authorization: Bearer {key}", "-d", json.dumps(body)]
    return shlex.join(["curl", "-i", url, *given])


def _chat(opened: Opened, deployments: Path, till: Till, key: str) -> str:
    settings = {
        "CHAIN_ID": str(opened.chain_id),
        "DEPLOYMENTS_DIR": str(deployments),
        "GATEWAY": cast.GATEWAY.address,
        "API_KEY": key,
    }
    given = [f"RACKSTREAM_CLIENT_{name}={shlex.quote(value)}" for name, value in settings.items()]
    command = [".venv/bin/python", "-m", "api.client", "chat", "--gateway", till.url]
    return " ".join([*given, shlex.join([*command, "--limit", "1", _QUESTION])])
