"""What the scripts' command lines share: connection, options, and failures in one readable line.

`ape run` imports every script to find one, so this module and the scripts themselves import at
their top only what is cheap; a command imports what it works with when it runs.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from ape.cli import ConnectedProviderCommand

if TYPE_CHECKING:
    from ape.api import AccountAPI

    from scripts._lib.record import Record

Function = Callable[..., None]

ROOT = str(Path(__file__).resolve().parents[2])


class PlainCommand(click.Command):
    """A command that says what goes wrong on purpose in a few words, with status 1; anything else
    keeps its trace."""

    def make_context(self, *arguments: Any, **options: Any) -> click.Context:
        # ape has the project on sys.path only while it imports a script, not while it runs it.
        if ROOT not in sys.path:
            sys.path.append(ROOT)
        return super().make_context(*arguments, **options)

    def invoke(self, ctx: click.Context) -> Any:
        from scripts._lib.failures import in_words

        try:
            return super().invoke(ctx)
        except click.ClickException:
            raise
        except Exception as error:
            words = in_words(error)
            if words is None:
                raise
            raise click.ClickException(words) from error


class NetworkCommand(PlainCommand, ConnectedProviderCommand):
    """The same on a network: `--network`, the local one if none is named."""


class SixDecimals(click.ParamType):
    """A number of dollars or shares; the command gets it in millionths."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        from scripts._lib.money import parse_six_decimals

        try:
            return value if isinstance(value, int) else parse_six_decimals(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class UtcTime(click.ParamType):
    """A date, or a date and time, in UTC; the command gets the Unix second."""

    name = "date"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        from scripts._lib.times import parse_utc

        try:
            return value if isinstance(value, int) else parse_utc(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Reference(click.ParamType):
    """32 bytes of hexadecimal, such as a document's SHA-256, or a text that fits; the command gets
    the bytes."""

    name = "reference"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> bytes:
        from scripts._lib.operations import reference_of

        try:
            return value if isinstance(value, bytes) else reference_of(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Wallet(click.ParamType):
    """An address, or the alias of an account that ape knows (TEST::n on the local chain)."""

    name = "address|alias"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        from api.domain.codec import parse_address
        from api.errors import Malformed

        if not value.startswith("0x"):
            return str(load_account(value, param, ctx).address)
        try:
            return str(parse_address(value, param.name if param and param.name else "address"))
        except Malformed as error:
            self.fail(str(error), param, ctx)


def load_account(
    alias: str, param: click.Parameter | None = None, ctx: click.Context | None = None
) -> AccountAPI:
    """The account of ape with this alias. Raises click's usage error if there is none."""
    from ape.cli import AccountAliasPromptChoice

    account = AccountAliasPromptChoice().convert(alias, param, ctx)
    if account is None:
        raise click.BadParameter(f"no account is called {alias!r}", ctx, param)
    return account


def command(function: Function) -> click.Command:
    """An `ape run` command on a network, with the record's place as an option."""
    function = click.option(
        "--deployments",
        type=click.Path(file_okay=False, path_type=Path),
        default=None,
        envvar="RACKSTREAM_DEPLOYMENTS_DIR",
        help="Folder of the deployment records (default: deployments/).",
    )(function)
    return click.command(cls=NetworkCommand)(function)


def account_option(role: str) -> Callable[[Function], Function]:
    """`--account`: who signs. The local chain has a default, every other asks for a name."""
    return click.option(
        "--account",
        metavar="ALIAS",
        default=None,
        help=f"Account that signs: {role}. Default on the local chain: TEST::0.",
    )


def cluster_option(function: Function) -> Function:
    """`--cluster`: which one."""
    return click.option(
        "--cluster", "cluster_id", type=click.IntRange(1, 2**32 - 1), required=True, help="Its id."
    )(function)


def epoch_option(function: Function) -> Function:
    """`--epoch`: which one."""
    return click.option(
        "--epoch", type=click.IntRange(1, 2**32 - 1), required=True, help="Hour of Unix time."
    )(function)


def signer(alias: str | None) -> AccountAPI:
    """The account to sign with on the connected chain.

    An account of ape's keystore asks at the terminal before it signs, unless its passphrase is in
    ape's variable for it, `APE_ACCOUNTS_<alias>_PASSPHRASE`.

    Raises a usage error if none is named off the local chain, KeyRefused for an account whose key
    everybody has.
    """
    from api.errors import KeyRefused
    from api.keys import WELL_KNOWN_ACCOUNTS
    from api.types import LOCAL_CHAIN_ID
    from scripts._lib.network import connected_chain_id

    chain_id = connected_chain_id()
    if alias is None:
        if chain_id != LOCAL_CHAIN_ID:
            raise click.UsageError(f"chain {chain_id} is not local: name the --account that signs")
        alias = "TEST::0"
    account = load_account(alias)
    if chain_id != LOCAL_CHAIN_ID and account.address in WELL_KNOWN_ACCOUNTS:
        raise KeyRefused(
            f"{account.address} is a well-known test account: refused on chain {chain_id}",
            value=account.address,
            limit=LOCAL_CHAIN_ID,
        )
    if f"APE_ACCOUNTS_{alias}_PASSPHRASE" in os.environ:
        # Whoever gives the passphrase beforehand is not there to confirm each transaction.
        account.set_autosign(True)
    return account


def open_record(directory: Path | None, *, sources: bool = False) -> Record:
    """The record of the connected chain, verified against it.

    Raises DeploymentMissing if nothing is recorded, RecordMismatch if the chain says otherwise.
    """
    from scripts._lib import record

    opened = record.Record(directory or record.DIRECTORY)
    opened.system()
    opened.verify(sources=sources)
    return opened


def say(text: str) -> None:
    """A line for whoever runs the script."""
    click.echo(text)
