"""What a reporter tells Prometheus."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Summary,
    generate_latest,
)

# An epoch waits up to 120 s for its agents, then rounds of 60 s; after hours it is stale.
_EPOCH_SECONDS = (10, 30, 60, 120, 150, 180, 240, 300, 600, 1_800, 3_600, 10_800, 86_400)

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
        self._disagreements = Counter(
            "rackstream_disagreements_total",
            "Reports that this reporter and a peer did not both sign, whoever proposed, by reason.",
            ["peer", "reason"],
            registry=self._registry,
        )
        self._equivocations = Counter(
            "rackstream_equivocations_total",
            "Reports by a reporter that contradict another one that it signed in the same round.",
            ["reporter"],
            registry=self._registry,
        )
        self._to_quorum = Histogram(
            "rackstream_epoch_to_quorum_seconds",
            "Seconds from an epoch's end to the quorum for its report, of own proposals.",
            buckets=_EPOCH_SECONDS,
            registry=self._registry,
        )
        self._to_chain = Histogram(
            "rackstream_epoch_to_chain_seconds",
            "Seconds from an epoch's end to the block with its report, of all reports.",
            buckets=_EPOCH_SECONDS,
            registry=self._registry,
        )
        self._age = Gauge(
            "rackstream_report_age_seconds",
            "Seconds since the end of the newest epoch of a cluster that is on chain.",
            ["cluster"],
            registry=self._registry,
        )
        self._waiting = Gauge(
            "rackstream_waiting_epochs",
            "Epochs of a cluster that are on chain and not final.",
            ["cluster"],
            registry=self._registry,
        )
        self._held = Gauge(
            "rackstream_held_epochs",
            "Epochs of a cluster that disputes keep from being final.",
            ["cluster"],
            registry=self._registry,
        )
        self._overdue = Gauge(
            "rackstream_final_overdue_seconds",
            "Seconds since the end of the dispute window of a cluster's oldest epoch not final, if"
            " no dispute holds it.",
            ["cluster"],
            registry=self._registry,
        )
        self._gas = Summary(
            "rackstream_gas_used",
            "Gas of the mined transactions, by purpose: report or finalize.",
            ["purpose"],
            registry=self._registry,
        )
        self._cost = Summary(
            "rackstream_gas_cost_wei",
            "What the mined transactions cost, by purpose: report or finalize.",
            ["purpose"],
            registry=self._registry,
        )
        self._max_fee = Gauge(
            "rackstream_max_fee_wei", "The most that is offered a gas.", registry=self._registry
        )
        self._base_fee = Gauge(
            "rackstream_base_fee_wei",
            "What the newest block asked a gas.",
            registry=self._registry,
        )
        self._nonce_gap = Gauge(
            "rackstream_nonce_gap",
            "Transactions of the transmitting account that the node holds and that are not mined.",
            registry=self._registry,
        )
        self._transactions = Counter(
            "rackstream_transactions_total",
            "Transactions, by event: signed, replaced, sent, mined, reverted or displaced.",
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
            "What the account that transmits holds to pay for gas.",
            registry=self._registry,
        )
        self._signers = Gauge(
            "rackstream_signer_usable",
            "1 if whoever has the key signs, by what it signs: reports or transactions.",
            ["signs"],
            registry=self._registry,
        )
        self._ready = Gauge(
            "rackstream_ready", "1 if the reporter is ready to work.", registry=self._registry
        )

        # A rate sees no first event of a series that was not there before.
        for event in ("signed", "replaced", "sent", "mined", "reverted", "displaced"):
            self._transactions.labels(event)
        for outcome in ("quorum", "none"):
            self._agreements.labels(outcome)

    def expect_peers(self, peers: Collection[str], reasons: Collection[str]) -> None:
        """Count from zero whatever may come between this reporter and these."""
        for peer in peers:
            self._equivocations.labels(peer)
            for reason in reasons:
                self._disagreements.labels(peer, reason)

    def expect_loop(self, loop: str) -> None:
        """Count its crashes from zero."""
        self._crashes.labels(loop)

    def batch(self, outcome: str, samples: int = 0) -> None:
        self._batches.labels(outcome).inc()
        self._samples.inc(samples)

    def signed(self) -> None:
        self._proposals.labels("signed").inc()

    def refused(self, reason: str) -> None:
        self._proposals.labels(reason).inc()

    def agreed(self, seconds: float, since_epoch: int) -> None:
        self._agreements.labels("quorum").inc()
        self._agreement_seconds.observe(seconds)
        self._to_quorum.observe(since_epoch)

    def disagreed(self, peer: str, reason: str) -> None:
        self._disagreements.labels(peer, reason).inc()

    def equivocated(self, reporter: str) -> None:
        self._equivocations.labels(reporter).inc()

    def posted(self, since_epoch: int) -> None:
        self._to_chain.observe(since_epoch)

    def not_agreed(self) -> None:
        self._agreements.labels("none").inc()

    def paid(self, purpose: str, gas: int, price: int) -> None:
        self._gas.labels(purpose).observe(gas)
        self._cost.labels(purpose).observe(gas * price)

    def transaction(self, event: str) -> None:
        self._transactions.labels(event).inc()

    def crashed(self, loop: str) -> None:
        self._crashes.labels(loop).inc()

    def counted(self, cluster_id: int, epoch: int) -> None:
        self._counted.labels(str(cluster_id)).set(epoch)

    def block(self, number: int, base_fee: int) -> None:
        self._block.set(number)
        self._base_fee.set(base_fee)

    def max_fee(self, wei: int) -> None:
        self._max_fee.set(wei)

    def ages(self, seconds: Mapping[int, int]) -> None:
        """By cluster; one that is no longer measured has none."""
        _replace(self._age, seconds)

    def waiting(
        self, epochs: Mapping[int, int], held: Mapping[int, int], overdue: Mapping[int, int]
    ) -> None:
        """By cluster; one with nothing that waits has none, one that is held is not overdue."""
        _replace(self._waiting, epochs)
        _replace(self._held, held)
        _replace(self._overdue, overdue)

    def nodes(self, are_usable: Sequence[bool]) -> None:
        for number, is_usable in enumerate(are_usable, start=1):
            self._nodes.labels(str(number)).set(is_usable)

    def switched(self) -> None:
        self._switches.inc()

    def account(self, wei: int, nonce_gap: int) -> None:
        self._balance.set(wei)
        self._nonce_gap.set(nonce_gap)

    def signers(self, are_usable: Mapping[str, bool]) -> None:
        """By what is signed."""
        for signs, is_usable in are_usable.items():
            self._signers.labels(signs).set(is_usable)

    def ready(self, is_ready: bool) -> None:
        self._ready.set(is_ready)

    def render(self) -> bytes:
        """The text that Prometheus reads."""
        return generate_latest(self._registry)


def _replace(gauge: Gauge, by_cluster: Mapping[int, int]) -> None:
    gauge.clear()
    for cluster_id, value in by_cluster.items():
        gauge.labels(str(cluster_id)).set(value)
