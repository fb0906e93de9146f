"""The console's verbs over shares beside claiming: pledges, freezes, orders, and why not.

Shares are given in shares, as a number, or as text where a fraction matters: 2.5 is "2.5".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from rich.console import Console

from api.errors import InvalidInput
from scripts._lib import orders, pledges
from scripts._lib.commands import open_record
from scripts._lib.money import parse_six_decimals, shares
from scripts._lib.operations import reference_of, require_cluster, share_of
from scripts._lib.tables import numbers, table_of
from scripts._lib.times import parse_utc, utc
from scripts._lib.views import read_portfolio
from scripts._lib.wallets import account_of, address_of


class ShareActs:
    """The verbs, over the record in one folder, printing to one console."""

    def __init__(self, directory: Path | None, output: Console) -> None:
        self._directory = directory
        self._output = output

    def verbs(self) -> Mapping[str, Callable[..., None]]:
        """The console's names for what it can do."""
        return {
            "pledges": self.pledges,
            "encumber": self.encumber,
            "release": self.release,
            "why_not": self.why_not,
            "freeze": self.freeze,
            "recover": self.recover,
            "orders": self.orders,
            "confirm": self.confirm,
            "execute": self.execute,
        }

    def usages(self) -> list[tuple[str, Callable[..., None]]]:
        """How each verb is written, for `help()`."""
        return [
            ("pledges('0x…')", self.pledges),
            ("encumber(1, '0x…', 250, who='alias')", self.encumber),
            ("release(1, '0x…', who='alias')", self.release),
            ("why_not(1, '0x…', '0x…', 250)", self.why_not),
            ("freeze(1, '0x…', 'case 7', who='alias')", self.freeze),
            ("recover(1, '0x…', '0x…', 'case 7', who='alias')", self.recover),
            ("orders()", self.orders),
            ("confirm(1, who='alias')", self.confirm),
            ("execute(1, who='alias')", self.execute),
        ]

    def pledges(self, who: object = None) -> None:
        """What `who` has encumbered, to whom, until when, and whose income it is."""
        owner = address_of(who)
        record = open_record(self._directory)
        table = table_of(f"Pledges of {owner}", "cluster", "to", "until", "income to")
        numbers(table, "shares", "income of")
        for holding in read_portfolio(record, owner):
            share = share_of(record.system(), holding.cluster_id)
            for pledge in pledges.pledges_of(share, owner):
                lasting = pledge.expires_at == pledges.NEVER
                table.add_row(
                    str(holding.cluster_id),
                    pledge.taker,
                    "released" if lasting else utc(pledge.expires_at),
                    pledge.payee or "the owner",
                    shares(pledge.amount),
                    shares(pledge.assigned),
                )
        if table.row_count:
            self._output.print(table)
        else:
            self._output.print(f"{owner} has encumbered nothing.")

    def encumber(
        self,
        cluster_id: int,
        taker: object,
        amount: object,
        who: object = None,
        until: str | None = None,
    ) -> None:
        """Pledge shares of `who` to a module, until a date (UTC) or until it releases them."""
        owner = account_of(who)
        share = share_of(open_record(self._directory).system(), cluster_id)
        ends = None if until is None else _moment(until)
        pledge = pledges.encumber(share, address_of(taker), _units(amount), ends, owner)
        self._output.print(
            f"{shares(pledge.amount)} shares of {owner.address} are encumbered to {pledge.taker}."
        )

    def release(
        self, cluster_id: int, owner: object, amount: object = None, who: object = None
    ) -> None:
        """Give up, as their taker `who`, shares that `owner` encumbered (by default all)."""
        share = share_of(open_record(self._directory).system(), cluster_id)
        wanted = None if amount is None else _units(amount)
        released = pledges.release(share, address_of(owner), wanted, account_of(who))
        self._output.print(f"{shares(released)} shares of {address_of(owner)} released.")

    def why_not(self, cluster_id: int, sender: object, receiver: object, amount: object) -> None:
        """Why shares cannot go from one wallet to another now, in words."""
        system = open_record(self._directory).system()
        require_cluster(system, cluster_id)
        reason = system.desk.whyNot(
            cluster_id, address_of(sender), address_of(receiver), _units(amount)
        )
        self._output.print(str(reason) or "Nothing is in the way.", markup=False)

    def freeze(
        self,
        cluster_id: int,
        holder: object,
        reference: str,
        amount: object = None,
        who: object = None,
    ) -> None:
        """As transfer agent `who`, freeze so many shares of a holder, or everything."""
        system = open_record(self._directory).system()
        frozen = orders.WHOLE if amount is None else _units(amount)
        account = address_of(holder)
        until = orders.freeze(
            system, cluster_id, account, frozen, _reference(reference), account_of(who)
        )
        everything = f"Everything of {account} is"
        what = everything if amount is None else f"{shares(frozen)} shares of {account} are"
        self._output.print(f"{what} frozen until {utc(until)}, if not confirmed.")

    def recover(
        self,
        cluster_id: int,
        lost: object,
        replacement: object,
        reference: str,
        who: object = None,
    ) -> None:
        """As transfer agent `who`, propose that all of a lost wallet go to its replacement."""
        order = orders.propose_recovery(
            open_record(self._directory).system(),
            cluster_id,
            address_of(lost),
            address_of(replacement),
            _reference(reference),
            account_of(who),
        )
        self._output.print(orders.in_words(order), markup=False)

    def orders(self) -> None:
        """Every forced transfer and recovery that was proposed, and where it stands."""
        lines = [
            orders.in_words(order) for order in orders.orders(open_record(self._directory).system())
        ]
        self._output.print("\n".join(lines) or "No order was proposed.", markup=False)

    def confirm(self, order_id: int, who: object = None) -> None:
        """As trustee `who`, confirm an order."""
        system = open_record(self._directory).system()
        system.enforcement.confirmOrder(order_id, sender=account_of(who))
        self._output.print(orders.in_words(orders.order_of(system, order_id)), markup=False)

    def execute(self, order_id: int, who: object = None) -> None:
        """Execute an order that is confirmed and whose delay is over; anybody may."""
        system = open_record(self._directory).system()
        system.enforcement.executeOrder(order_id, sender=account_of(who))
        self._output.print(orders.in_words(orders.order_of(system, order_id)), markup=False)


def _units(amount: object) -> int:
    try:
        return parse_six_decimals(str(amount))
    except ValueError as error:
        raise InvalidInput(f"{amount!r} is no number of shares: {error}", value=amount) from error


def _moment(text: str) -> int:
    try:
        return parse_utc(text)
    except ValueError as error:
        raise InvalidInput(f"{text!r} is no date in UTC: {error}", value=text) from error


def _reference(text: str) -> bytes:
    try:
        return reference_of(text)
    except ValueError as error:
        raise InvalidInput(str(error), value=text) from error
