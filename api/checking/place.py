"""What a check sees of where a service runs: its port, its database.

`service` is what it is called, as "gateway"; `prefix` is what its settings' names begin with.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import httpx

from api.chain.client import ChainClient
from api.chain.deployments import ContractRecord
from api.checking.findings import Finding, bad, good, noted
from api.domain.codec import parse_json
from api.errors import Malformed, PortTaken
from api.serving.listening import listen
from api.store.database import HEAD, DatabaseIdentity, DatabaseState, revisions
from api.types import Address, Digest


async def who(http: httpx.AsyncClient, url: str, service: str) -> Address | None:
    """Which of these services answers at a URL, as it says; None if none does."""
    try:
        answer = parse_json((await http.get(f"{url}/readyz")).content, "answer")
    except (httpx.HTTPError, httpx.InvalidURL, Malformed):
        return None
    told = answer.get(service) if isinstance(answer, Mapping) else None
    return Address(told) if isinstance(told, str) else None


async def port(
    http: httpx.AsyncClient, host: str, number: int, account: Address, service: str, prefix: str
) -> tuple[bool, Finding]:
    """Whether this very service, that of the account, runs already, and what that means for its
    port.
    """
    place = f"[{host}]:{number}" if ":" in host else f"{host}:{number}"
    try:
        listen(host, number).close()
    except PortTaken as error:
        if await who(http, f"http://{place}", service) == account:
            return True, noted("port", f"this {service} is running at {place}")
        return False, bad("port", f"{error.message}; end what listens there or set {prefix}PORT")
    return False, good("port", f"{place} is free" if number else "any free one is taken")


def own_server(folder: Path, prefix: str) -> Finding:
    """Whether PostgreSQL can be started in that folder."""
    nearest = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
        return bad(
            "database",
            f"{nearest} cannot be written to, PostgreSQL would be started in {folder};"
            f" set {prefix}DATA_DIR or _DATABASE_URL",
        )
    return good("database", f"PostgreSQL is started in {folder}; what is in it is not looked at")


def database(state: DatabaseState, service: str, *, is_running: bool) -> tuple[Finding, Finding]:
    """Its tables, and whether another process works on it."""
    return _tables(state), _lease(state, service, is_running=is_running)


async def owner(
    state: DatabaseState,
    client: ChainClient,
    account: Address,
    contract: ContractRecord,
    service: str,
) -> Finding:
    """Whose database it is: it should be the account's, for that contract."""
    if state.identity is None:
        return good("database", "it belongs to nobody yet")
    origin = Digest((await client.block(contract.block)).hash)
    own = DatabaseIdentity(account, client.chain_id, contract.address, origin)
    if state.identity != own:
        return bad(
            "database",
            f"it belongs to {state.identity}, this would be {own}: use a database of its own",
        )
    return good("database", f"it belongs to this {service}")


def _tables(state: DatabaseState) -> Finding:
    if state.revision is None:
        return good("database", f"reachable and empty: the start makes the tables, version {HEAD}")
    if state.revision == HEAD:
        return good("database", f"reachable, its tables are of version {HEAD}")
    if state.revision in revisions():
        return noted(
            "database", f"its tables are of version {state.revision}: the start makes them {HEAD}"
        )
    return bad(
        "database",
        f"its tables are of version {state.revision}, which this release ({HEAD}) does not know:"
        " a newer one has worked on it",
    )


def _lease(state: DatabaseState, service: str, *, is_running: bool) -> Finding:
    if not state.is_leased:
        return good("database", "no other process works on it")
    if is_running:
        return noted("database", f"the running {service} works on it")
    return bad("database", "another process works on it: end that one, or use another database")
