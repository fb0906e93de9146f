"""What a gateway tells Prometheus."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Summary, generate_latest

from api.domain.receipts import Receipt
from api.gateway.ledger import LockState

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """The process's figures, in a registry of their own."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        self._requests = Counter(
            "rackstream_gateway_requests_total",
            "Requests that were served and charged.",
            ["cluster", "model"],
            registry=registry,
        )
        self._tokens = Counter(
            "rackstream_gateway_tokens_total",
            "Tokens that were charged.",
            ["cluster", "model", "direction"],
            registry=registry,
        )
        self._charged = Counter(
            "rackstream_gateway_charged_usd6_total",
            "What was charged, in 10⁻⁶ dollars.",
            ["cluster"],
            registry=registry,
        )
        self._overclaimed = Counter(
            "rackstream_gateway_overclaimed_total",
            "Answers whose server claimed more tokens than can be; the excess is not charged.",
            ["cluster"],
            registry=registry,
        )
        self._failed_over = Counter(
            "rackstream_gateway_upstream_failures_total",
            "Servers that did not answer a request, which then went elsewhere or failed.",
            ["cluster"],
            registry=registry,
        )
        self._refused = Counter(
            "rackstream_gateway_refused_total",
            "Requests that were not paid for, by reason.",
            ["reason"],
            registry=registry,
        )
        self._seconds = Histogram(
            "rackstream_gateway_payment_seconds",
            "Seconds from a request's arrival to its payment being checked and held.",
            buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1),
            registry=registry,
        )
        self._uncollected = Gauge(
            "rackstream_gateway_uncollected_usd6",
            "What was charged and is not collected yet, in 10⁻⁶ dollars.",
            registry=registry,
        )
        self._collected = Counter(
            "rackstream_gateway_collected_usd6_total",
            "What was collected, in 10⁻⁶ dollars.",
            registry=registry,
        )
        self._short = Counter(
            "rackstream_gateway_short_usd6_total",
            "What vouchers did not bring when they were collected, in 10⁻⁶ dollars.",
            registry=registry,
        )
        self._locks = Gauge(
            "rackstream_gateway_locks",
            "Channels with something locked, of those that were used since the start.",
            registry=registry,
        )
        self._locked = Gauge(
            "rackstream_gateway_locked_usd6",
            "What is locked for them, in 10⁻⁶ dollars: owed, held by requests in work, unused, or"
            " uncounted (not deep in the chain yet, about to end, or over).",
            ["state"],
            registry=registry,
        )
        self._refunds_owed = Gauge(
            "rackstream_gateway_refunds_owed_usd6",
            "What is to be given back from the gateway's own dollars, in 10⁻⁶ dollars.",
            registry=registry,
        )
        self._refunded = Counter(
            "rackstream_gateway_refunded_usd6_total",
            "What was given back from them, in 10⁻⁶ dollars.",
            registry=registry,
        )
        self._transactions = Counter(
            "rackstream_gateway_transactions_total",
            "Transactions, by what happened to them.",
            ["event"],
            registry=registry,
        )
        self._gas = Summary(
            "rackstream_gateway_gas", "Gas of mined transactions.", ["purpose"], registry=registry
        )
        self._cost = Summary(
            "rackstream_gateway_cost_wei",
            "What mined transactions cost, in wei.",
            ["purpose"],
            registry=registry,
        )
        self._crashes = Counter(
            "rackstream_gateway_loop_crashes_total",
            "Loops that crashed and were started again.",
            ["loop"],
            registry=registry,
        )

    def text(self) -> bytes:
        """Everything, as Prometheus reads it."""
        return generate_latest(self._registry)

    def served(self, receipt: Receipt, *, is_overclaimed: bool) -> None:
        cluster, model = str(receipt.cluster_id), receipt.model
        self._requests.labels(cluster, model).inc()
        self._tokens.labels(cluster, model, "input").inc(receipt.input_tokens)
        self._tokens.labels(cluster, model, "output").inc(receipt.output_tokens)
        self._charged.labels(cluster).inc(receipt.charge_usd6)
        if is_overclaimed:
            self._overclaimed.labels(cluster).inc()

    def failed_over(self, cluster_id: int) -> None:
        self._failed_over.labels(str(cluster_id)).inc()

    def refused(self, reason: str) -> None:
        self._refused.labels(reason).inc()

    def payment_checked(self, seconds: float) -> None:
        self._seconds.observe(seconds)

    def uncollected(self, amount_usd6: int) -> None:
        self._uncollected.set(amount_usd6)

    def collected(self, amount_usd6: int, short_usd6: int) -> None:
        self._collected.inc(amount_usd6)
        self._short.inc(short_usd6)

    def locked(self, number: int, usd6_by_state: Mapping[LockState, int]) -> None:
        """So many locks, and what their dollars stand for."""
        self._locks.set(number)
        for state, amount_usd6 in usd6_by_state.items():
            self._locked.labels(state).set(amount_usd6)

    def refunds_owed(self, amount_usd6: int) -> None:
        self._refunds_owed.set(amount_usd6)

    def refunded(self, amount_usd6: int) -> None:
        self._refunded.inc(amount_usd6)

    def transaction(self, event: str) -> None:
        self._transactions.labels(event).inc()

    def paid(self, purpose: str, gas: int, price: int) -> None:
        self._gas.labels(purpose).observe(gas)
        self._cost.labels(purpose).observe(gas * price)

    def expect_loop(self, name: str) -> None:
        self._crashes.labels(name)

    def crashed(self, name: str) -> None:
        self._crashes.labels(name).inc()
