"""Waterfall against the rational model, on a chain with real reports of a real oracle."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from ape import chain
from ape.api import AccountAPI
from hypothesis import given
from hypothesis import strategies as st

from tests.model.waterfall import BPS, EPOCH_SECONDS, Debt, Terms, WaterfallModel
from tests.support.node import Call, Node, copy_of_chain
from tests.support.oracle import Figures, Report
from tests.support.revenue import REF, SPEC, Books, open_books
from tests.support.scenario import USD, Scenario, default_spec
from tests.support.search import searched

pytestmark = pytest.mark.property

DOCUMENT = b"\x44" * 32
HOUR = 3_600
SPEC_NOTICE_SECONDS = 7 * 86_400
ENOUGH = 10**12
# Odd prices, so that nearly every due has a fraction.
ODD = {"tariffUsd6PerKwh": 99_991, "contractedRateUsd6PerGpuHour": 333_337, "pueBps": 12_999}


@dataclass(frozen=True)
class Stage:
    books: Books
    node: Node
    chain_id: int
    set_id: int
    issuer: str
    operator: str
    trustee: str
    oracle_admin: str


@pytest.fixture(scope="module")
def stage(
    scenario: Scenario, oracle_admin: AccountAPI, customer: AccountAPI, holder: AccountAPI
) -> Iterator[Stage]:
    books = open_books(
        scenario, oracle_admin, customer, holder, **ODD, reserveTargetUsd6=3 * 10**11
    )
    with copy_of_chain() as node:
        yield Stage(
            books,
            node,
            int(chain.chain_id),
            int(scenario.system.oracle.reporterSetId()),
            str(scenario.issuer.address),
            str(scenario.operator.address),
            str(scenario.trustee.address),
            str(oracle_admin.address),
        )


class Run:
    """Operations on the chain and on the model at once. Time is the model's."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.books = stage.books
        self.customer = str(stage.books.customer.address)
        spec = SPEC | ODD | {"reserveTargetUsd6": 3 * 10**11}
        self.specs = [spec]
        self.model = WaterfallModel(
            now=stage.node.now,
            first_epoch=stage.books.first_epoch,
            specs=[_terms(0, spec)],
            debts=[Debt(since=stage.node.now), Debt(since=stage.node.now)],
        )

    def wait(self, seconds: int) -> None:
        self.model.now += seconds

    def act(self, sender: str, contract: Any, function: str, *arguments: Any) -> bool:
        self.wait(1)
        call = Call(contract, function, arguments)
        return self.stage.node.send(self.model.now, sender, call)

    def of_waterfall(self, sender: str, function: str, *arguments: Any) -> bool:
        cluster_id = self.books.cluster_id
        return self.act(sender, self.books.waterfall, function, cluster_id, *arguments)

    def receive(self, amount: int) -> None:
        assert self.of_waterfall(self.customer, "receiveIncome", amount, 0, REF)
        self.model.open()
        self.model.received += amount

    def distribute(self) -> None:
        assert self.of_waterfall(self.customer, "distribute")
        self.model.distribute()
        self.check()

    def report(self, energies: list[int]) -> None:
        """As many of the epochs that are over and not reported as there are energies."""
        for epoch, energy, at in self._post(energies):
            self.model.report(epoch, energy, at)

    def report_at_once(self, energies: list[int], window: int) -> None:
        """The same, but they wait, as if the first were disputed, and all become final together."""
        oracle, admin = self.books.desk.oracle, self.stage.oracle_admin
        assert self.act(admin, oracle, "setDisputeWindow", window)
        posted = list(self._post(energies))
        assert self.act(admin, oracle, "setDisputeWindow", 0)
        self.wait(window)
        assert self.act(self.customer, oracle, "finalize", self.books.cluster_id, len(posted))
        for epoch, energy, at in posted:
            self.model.report(epoch, energy, at)

    def _post(self, energies: list[int]) -> Iterator[tuple[int, int, int]]:
        """Epoch, energy and second of each report that was posted."""
        for epoch, energy in enumerate(energies, self.model.reported + 1):
            last = self.model.last_epoch
            if (epoch + 1) * EPOCH_SECONDS > self.model.now or (last and epoch > last):
                return
            report = Report(
                self.stage.chain_id,
                str(self.books.desk.oracle.address),
                self.stage.set_id,
                epoch,
                (Figures(self.books.cluster_id, energy, 3_600, 3_600, 0, 0),),
            )
            arguments = report.args(report.signatures(self.books.desk.quorum))
            assert self.act(self.customer, self.books.desk.oracle, "postReport", *arguments)
            yield epoch, energy, self.model.now

    def accrue(self, which: int, at_once: int, rate: int) -> None:
        tranche = (self.books.senior, self.books.junior)[which]
        assert self.act(self.customer, tranche, "accrue", at_once, rate)
        self.model.debts[which].accrue(self.model.now, at_once, rate)

    def withdraw_tranche(self, which: int) -> None:
        tranche = (self.books.senior, self.books.junior)[which]
        debt = self.model.debts[which]
        done = self.of_waterfall(self.customer, "withdrawTranche", tranche.address)
        assert done == (debt.assigned > debt.paid)
        debt.paid = debt.assigned

    def withdraw_operating_cost(self) -> None:
        done = self.of_waterfall(self.stage.operator, "withdrawOperatingCost", self.customer)
        earned = self.model.operator_earned if self.model.received else 0
        assert done == (earned > self.model.operator_paid)
        self.model.operator_paid = max(earned, self.model.operator_paid)

    def draw(self, amount: int) -> None:
        arguments = (amount, self.customer, DOCUMENT)
        done = self.of_waterfall(self.stage.trustee, "drawReserve", *arguments)
        before = _copy_of_levels(self.model)
        self.model.distribute()
        assert done == (amount <= self.model.reserve - self.model.drawn)
        if done:
            self.model.drawn += amount
        else:
            _restore_levels(self.model, before)
        self.check()

    def schedule(self, changes: dict[str, int]) -> None:
        """A new specification from the earliest epoch that its notice allows."""
        newest = self.model.specs[-1]
        if newest.from_epoch > self.model.epoch or self.model.last_epoch:
            return
        spec = self.specs[-1] | changes
        lighter = all(spec[name] <= self.specs[-1][name] for name in changes)
        notice = EPOCH_SECONDS if lighter else SPEC_NOTICE_SECONDS
        # The transaction is a second later.
        epoch = (self.model.now + 1 + notice + EPOCH_SECONDS - 1) // EPOCH_SECONDS
        arguments = (self.books.cluster_id, epoch, _struct(spec))
        registry = self.books.scenario.system.registry
        assert self.act(self.stage.issuer, registry, "scheduleSpec", *arguments)
        self.specs.append(spec)
        self.model.specs.append(_terms(epoch, spec))

    def apply(self) -> None:
        done = self.of_waterfall(self.customer, "applySpec")
        self.model.open()
        assert done == self.model.can_apply
        if done:
            self.model.apply_spec()
        self.check()

    def change(self, changes: dict[str, int], wait: int) -> None:
        """Schedule, and go past its first second without a report."""
        self.schedule(changes)
        self.wait(max(self.model.specs[-1].from_epoch * EPOCH_SECONDS - self.model.now, 0) + wait)

    def renew(self, changes: dict[str, int], energy: int, late: int) -> None:
        """Schedule, and apply as soon as the epochs before it are resolved, or a little later."""
        self.schedule(changes)
        self.wait(max(self.model.specs[-1].from_epoch * EPOCH_SECONDS - self.model.now, 0))
        self.report([energy] * 40)
        self.receive(ENOUGH)
        self.wait(late)
        self.apply()

    def retire(self) -> None:
        if self.model.last_epoch:
            return
        registry = self.books.scenario.system.registry
        assert self.act(self.stage.issuer, registry, "retire", self.books.cluster_id)
        self.model.last_epoch = max(self.model.epoch, self.model.first_epoch)

    def check(self) -> None:
        """Every figure that the waterfall states, exactly, at the second now."""
        model, node = self.model, self.stage.node
        node.mine(model.now)
        state = node.ask(Call(self.books.waterfall, "state", (self.books.cluster_id,)))
        debts = model.debts
        due = model.operator_due() if model.received else 0
        assert state == {
            "received": model.received,
            "undistributed": model.undistributed,
            "operatorAssigned": model.operator,
            "operatorEarned": model.operator_earned if model.received else 0,
            "operatorPaid": model.operator_paid,
            "operatorShortfall": max(due - model.operator, 0),
            "escrowed": model.operator - (model.operator_earned if model.received else 0),
            "tranchesAssigned": sum(debt.assigned for debt in debts),
            "tranchesPaid": sum(debt.paid for debt in debts),
            "reserveAssigned": model.reserve,
            "reserveDrawn": model.drawn,
            "holdersAssigned": model.holders,
            "holdersStreamed": model.holders,
        }
        _, assigned, paid = node.ask(
            Call(self.books.waterfall, "tranches", (self.books.cluster_id,))
        ).values()
        assert list(assigned) == [debt.assigned for debt in debts]
        assert list(paid) == [debt.paid for debt in debts]
        held = node.ask(
            Call(
                self.books.scenario.system.stablecoin, "balanceOf", (self.books.waterfall.address,)
            )
        )
        out = model.operator_paid + sum(debt.paid for debt in debts) + model.drawn + model.holders
        assert held == model.received - out


def _terms(epoch: int, spec: dict[str, int]) -> Terms:
    return Terms(
        epoch,
        spec["gpuCount"],
        spec["gpuMaxPowerWatts"],
        spec["pueBps"],
        spec["tariffUsd6PerKwh"],
        spec["contractedRateUsd6PerGpuHour"],
        spec["reserveShareBps"],
        spec["reserveTargetUsd6"],
    )


def _struct(spec: dict[str, int]) -> tuple[Any, ...]:
    return tuple(default_spec(**spec).values())


def _copy_of_levels(model: WaterfallModel) -> WaterfallModel:
    return replace(model, debts=[replace(debt) for debt in model.debts])


def _restore_levels(model: WaterfallModel, before: WaterfallModel) -> None:
    """What a refused transaction undoes."""
    model.__dict__.update(before.__dict__)


_AMOUNTS = st.one_of(st.integers(1, 10**6), st.integers(10**7, 10**9), st.integers(10**9, ENOUGH))
_ENERGIES = st.one_of(st.integers(0, 1_000), st.integers(0, 2_500))
_CHANGES = st.fixed_dictionaries(
    {},
    optional={
        "tariffUsd6PerKwh": st.integers(0, 300_000),
        "contractedRateUsd6PerGpuHour": st.integers(0, 1_000_000),
        "gpuCount": st.integers(1, 3),
        "reserveShareBps": st.integers(0, BPS),
        "reserveTargetUsd6": st.integers(0, 10**12),
    },
)
_WAITS = st.one_of(
    st.integers(0, 600),
    st.integers(0, 2 * HOUR),
    st.integers(0, 30 * HOUR),
    st.integers(0, 10 * 24 * HOUR),
)
_FLOWS = (
    st.tuples(st.just("receive"), _AMOUNTS),
    st.tuples(st.just("receive"), _AMOUNTS),
    st.tuples(st.just("distribute")),
    st.tuples(st.just("distribute")),
    st.tuples(st.just("report"), st.lists(_ENERGIES, min_size=1, max_size=6)),
    st.tuples(st.just("report"), st.lists(_ENERGIES, min_size=1, max_size=6)),
    st.tuples(
        st.just("report_at_once"),
        st.lists(_ENERGIES, min_size=1, max_size=24),
        st.integers(1, 24 * HOUR),
    ),
    st.tuples(st.just("accrue"), st.integers(0, 1), st.integers(0, 10**7), st.integers(0, 50)),
    st.tuples(st.just("withdraw_tranche"), st.integers(0, 1)),
    st.tuples(st.just("withdraw_operating_cost")),
)
_ORDERS = (
    st.tuples(st.just("draw"), st.one_of(st.integers(1, 10**4), st.integers(1, 10**10))),
    st.tuples(st.just("schedule"), _CHANGES),
    st.tuples(st.just("change"), _CHANGES, st.integers(0, 5 * HOUR)),
    st.tuples(st.just("apply")),
    st.tuples(st.just("renew"), _CHANGES, _ENERGIES, st.integers(0, HOUR)),
)
_STEPS = st.lists(st.tuples(_WAITS, st.one_of(*_FLOWS, *_ORDERS)), min_size=6, max_size=24)
_STEPS_OF_FLOWS = st.lists(st.tuples(_WAITS, st.one_of(*_FLOWS)), min_size=4, max_size=20)


def _play(run: Run, steps: list[tuple[int, tuple[Any, ...]]]) -> None:
    for wait, (operation, *arguments) in steps:
        run.wait(wait)
        getattr(run, operation)(*arguments)


@searched(150)
@given(steps=_STEPS, retires=st.booleans())
def test_waterfall__any_operations_in_any_order__every_figure_as_in_rational_numbers(
    stage: Stage, steps: list[tuple[int, tuple[Any, ...]]], retires: bool
) -> None:
    with stage.node.undone():
        run = Run(stage)
        run.receive(1)
        _play(run, steps)
        if retires:
            run.retire()
            run.distribute()
            run.wait(30 * HOUR)
        run.receive(ENOUGH)
        run.distribute()
        if not run.model.short:
            assert run.model.undistributed == 0
            assert run.model.operator == run.model.operator_due()
            assert all(debt.assigned == debt.due(run.model.now) for debt in run.model.debts)
        if retires and not run.model.short:
            assert run.model.operator == run.model.operator_earned, "something stays in escrow"
        run.withdraw_tranche(0)
        run.withdraw_tranche(1)
        run.withdraw_operating_cost()
        run.check()


@searched(60)
@given(steps=_STEPS_OF_FLOWS)
def test_waterfall__enough_in_the_end__totals_are_a_function_of_income_time_and_reports(
    stage: Stage, steps: list[tuple[int, tuple[Any, ...]]]
) -> None:
    """Whatever distributions there were, and whatever they were short of."""
    with stage.node.undone():
        run = Run(stage)
        run.receive(1)
        _play(run, steps)
        run.receive(ENOUGH)
        run.distribute()
        model = run.model
        terms = model.specs[0]
        due = model.operator_due()
        lent = sum(debt.due(model.now) for debt in model.debts)
        left = model.received - due - lent
        reserve = min(left * terms.reserve_bps // BPS, terms.reserve_target)
        assert not model.short
        assert (model.operator, model.reserve) == (due, reserve)
        assert model.holders == left - reserve


def test_waterfall__ordinary_year__holders_get_income_less_cost_debt_and_reserve(
    stage: Stage,
) -> None:
    """Every week: income, a day of reports, the rest of the week lapsed, a distribution."""
    with stage.node.undone():
        run = Run(stage)
        run.receive(50 * USD)
        run.accrue(0, 0, 20)
        for week in range(52):
            run.wait(6 * 24 * HOUR)
            run.receive(1_000 * USD + week)
            run.wait(24 * HOUR)
            run.distribute()
        run.withdraw_operating_cost()
        run.withdraw_tranche(0)
        run.check()
        model = run.model
        assert model.holders > 40_000 * USD
        assert model.received == model.operator + model.debts[0].assigned + model.reserve + (
            model.holders
        )
