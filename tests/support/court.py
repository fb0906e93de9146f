"""Where figures are disputed without reporters: the test plays them, and what they would tell."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from ape import chain
from ape.api import AccountAPI
from eth_typing import Hash32

from api.domain.codec import to_hex
from scripts._lib import disputes, posted
from scripts._lib.deployment import System
from scripts._lib.posted import Subject
from tests.support.oracle import GRACE_SECONDS, Figures, Report, end_of
from tests.support.reporters import Operators, key_of


@dataclass(frozen=True)
class Court:
    """A live cluster, three reporters with bonds, and a window."""

    system: System
    operators: Operators
    cluster_id: int
    first_epoch: int
    challenger: AccountAPI
    arbiter: AccountAPI

    def figures(self, **changes: int) -> Figures:
        return Figures(self.cluster_id, **changes)

    def report(self, figures: Figures, epoch: int) -> Report:
        return replace(self.operators.report(epoch), figures=(figures,))

    def post(
        self,
        figures: Figures,
        *,
        bound: Figures | None = None,
        number: int = 0,
        is_late: bool = False,
    ) -> Subject:
        """All sign and post figures of the cluster's epoch of that number; with `bound`, under the
        root of other ones; late, when energy no longer counts."""
        epoch = self.first_epoch + number
        report = self.report(figures, epoch)
        root = self.report(bound or figures, epoch).root
        digest = Hash32(report.digest_over(root))
        keys = [key_of(str(account.address)) for account in self.operators.accounts]
        signatures = b"".join(bytes(key.unsafe_sign_hash(digest).signature) for key in keys)
        due_at = end_of(epoch) + (GRACE_SECONDS if is_late else 0)
        if chain.pending_timestamp < due_at:
            chain.pending_timestamp = due_at
        self.system.oracle.postReport(
            (report.set_id, epoch, 0, root), report.words, signatures, sender=self.challenger
        )
        return Subject(self.cluster_id, epoch, 0)

    def told(
        self, subject: Subject, bound: Figures, counted: Figures | None = None
    ) -> dict[str, Any]:
        """What a reporter tells that knows what is under the root."""
        under = self.report(bound, subject.epoch)
        root = posted.root_of(self.system, subject)
        return {
            "root": to_hex(root),
            "epoch": subject.epoch,
            "reporterSetId": under.set_id,
            "packedFigures": str((counted or bound).word),
            "boundFigures": None if counted is None else str(bound.word),
            "sampleRoot": to_hex(under.sample_root(0)),
            "proof": [to_hex(node) for node in under.proof(0)],
            "transaction": {"hash": posted.transaction_of(self.system, root, 0)["hash"]},
        }

    def lines(self, subject: Subject) -> list[str]:
        return list(disputes.in_words(self.system, subject))
