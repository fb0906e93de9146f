"""Two reports by one key in one round of an epoch about one cluster: proof that its holder lies.

An honest reporter signs at most one, so that the two signatures are enough. The contract that takes
the proof is `contracts/oracle/ReporterRegistry.sol`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from api.domain.codec import parse_digest, parse_hex, parse_uint
from api.domain.eip712 import Eip712Domain
from api.domain.reports import report_digest
from api.domain.signing import recover
from api.errors import Malformed
from api.types import (
    SIGNATURE_BYTES,
    UINT32_MAX,
    UINT256_MAX,
    Address,
    ClusterId,
    Digest,
    Epoch,
    Signature,
)


@dataclass(frozen=True, slots=True)
class SignedReport:
    """A report as one reporter signed it. `figures` are packed words, ascending by cluster."""

    reporter_set_id: int
    epoch: Epoch
    round: int
    root: Digest
    figures: tuple[int, ...]
    signature: Signature

    def digest(self, domain: Eip712Domain) -> Digest:
        """What was signed; `domain` is `oracle_domain`'s."""
        return report_digest(
            domain, self.reporter_set_id, self.epoch, self.round, self.root, self.figures
        )

    def signer(self, domain: Eip712Domain) -> Address:
        """Who signed it; `domain` is `oracle_domain`'s. Raises BadSignature."""
        return recover(self.digest(domain), self.signature)


def parse_signed_report(value: object, field: str) -> SignedReport:
    """The report that a reporter tells as JSON, at `field`: of its own or by somebody else.

    Raises InvalidInput's subclasses, naming what is wrong; the signature is read, not verified.
    """
    if not isinstance(value, Mapping):
        raise Malformed(field, value, "an object")
    set_id, epoch, round_ = (
        parse_uint(value.get(name), name, UINT32_MAX)
        for name in ("reporterSetId", "epoch", "round")
    )
    figures = value.get("figures")
    if not isinstance(figures, list):
        raise Malformed("figures", figures, "a list")
    return SignedReport(
        set_id,
        Epoch(epoch),
        round_,
        parse_digest(value.get("root"), "root"),
        tuple(parse_uint(word, "figures", UINT256_MAX) for word in figures),
        Signature(parse_hex(value.get("signature"), "signature", SIGNATURE_BYTES)),
    )


@dataclass(frozen=True, slots=True)
class Equivocation:
    """Two reports of `cluster_id` that `reporter` signed in one round."""

    reporter: Address
    cluster_id: ClusterId
    first: SignedReport
    second: SignedReport

    @property
    def first_index(self) -> int:
        """Where the cluster is among the first report's figures."""
        return _clusters(self.first).index(self.cluster_id)

    @property
    def second_index(self) -> int:
        """Where it is among the second's."""
        return _clusters(self.second).index(self.cluster_id)


def equivocation(
    reporter: Address, first: SignedReport, second: SignedReport
) -> Equivocation | None:
    """The proof in two reports that `reporter` signed; None if an honest one may sign both."""
    if first == second or (first.root, first.figures) == (second.root, second.figures):
        return None
    moments = {(one.reporter_set_id, one.epoch, one.round) for one in (first, second)}
    both = set(_clusters(first)) & set(_clusters(second))
    if len(moments) > 1 or not both:
        return None
    return Equivocation(reporter, min(both), first, second)


def _clusters(report: SignedReport) -> list[ClusterId]:
    return [ClusterId(word >> 160) for word in report.figures]
