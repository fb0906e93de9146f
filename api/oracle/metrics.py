"""What a reporter tells Prometheus."""

from __future__ import annotations

from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """The process's figures, in a registry of their own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._batches = Counter(
            "rackstream_batches_total",
            "Batches that agents sent, by outcome: stored, duplicate or the code of the refusal.",
            ["outcome"],
            registry=self._registry,
        )
        self._samples = Counter(
            "rackstream_samples_total", "Samples kept.", registry=self._registry
        )
        self._proposals = Counter(
            "rackstream_proposals_total",
            "Proposals of peers, by answer: signed or the reason of the refusal.",
            ["answer"],
            registry=self._registry,
        )
        self._agreements = Counter(
            "rackstream_agreements_total",
            "Own proposals, by outcome: quorum or none.",
            ["outcome"],
            registry=self._registry,
        )
        self._agreement_seconds = Histogram(
            "rackstream_agreement_seconds",
            "Seconds from the decision to propose to a quorum.",
            buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
            registry=self._registry,
        )
        self._transactions = Counter(
            "rackstream_transactions_total",
            "Transactions, by event: signed, sent, mined, reverted or displaced.",
            ["event"],
            registry=self._registry,
        )
        self._crashes = Counter(
            "rackstream_loop_crashes_total",
            "Crashes of a loop, each followed by a restart.",
            ["loop"],
            registry=self._registry,
        )
        self._counted = Gauge(
            "rackstream_counted_epoch",
            "Newest epoch of a cluster that the contract took.",
            ["cluster"],
            registry=self._registry,
        )
        self._block = Gauge(
            "rackstream_block_number", "Newest block seen.", registry=self._registry
        )
        self._nodes = Gauge(
            "rackstream_node_usable",
            "1 if a node of the chain can be asked; nodes are numbered from 1 as they are set.",
            ["node"],
            registry=self._registry,
        )
        self._switches = Counter(
            "rackstream_node_switches_total",
            "Times that another node was asked from then on.",
            registry=self._registry,
        )
        self._balance = Gauge(
            "rackstream_balance_wei",
            "What the reporter's account holds to pay for gas.",
            registry=self._registry,
        )
        self._ready = Gauge(
            "rackstream_ready", "1 if the reporter is ready to work.", registry=self._registry
        )

    def batch(self, outcome: str, samples: int = 0) -> None:
        self._batches.labels(outcome).inc()
        self._samples.inc(samples)

    def signed(self) -> None:
        self._proposals.labels("signed").inc()

    def refused(self, reason: str) -> None:
        self._proposals.labels(reason).inc()

    def agreed(self, seconds: float) -> None:
        self._agreements.labels("quorum").inc()
        self._agreement_seconds.observe(seconds)

    def not_agreed(self) -> None:
        self._agreements.labels("none").inc()

    def transaction(self, event: str) -> None:
        self._transactions.labels(event).inc()

    def crashed(self, loop: str) -> None:
        self._crashes.labels(loop).inc()

    def counted(self, cluster_id: int, epoch: int) -> None:
        self._counted.labels(str(cluster_id)).set(epoch)

    def block(self, number: int) -> None:
        self._block.set(number)

    def nodes(self, are_usable: Sequence[bool]) -> None:
        for number, is_usable in enumerate(are_usable, start=1):
            self._nodes.labels(str(number)).set(is_usable)

    def switched(self) -> None:
        self._switches.inc()

    def balance(self, wei: int) -> None:
        self._balance.set(wei)

    def ready(self, is_ready: bool) -> None:
        self._ready.set(is_ready)

    def render(self) -> bytes:
        """The text that Prometheus reads."""
        return generate_latest(self._registry)
