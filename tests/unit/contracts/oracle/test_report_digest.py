"""MetricsOracle.reportDigest: the bytes that reporters sign, against eth_account's encoder."""

from __future__ import annotations

import random

from ape import chain
from ape.contracts import ContractInstance

from tests.support.oracle import Figures, Newsdesk, Report


def test_report_digest__random_reports__as_eip_712_says(
    desk: Newsdesk, oracle: ContractInstance
) -> None:
    draw = random.Random(712)
    for size in (1, 2, 3, 17, 100):
        report = Report(
            chain_id=int(chain.chain_id),
            oracle=str(oracle.address),
            set_id=draw.randrange(2**32),
            epoch=draw.randrange(2**32),
            round=draw.randrange(2**32),
            figures=tuple(
                Figures(draw.randrange(2**32), *(draw.randrange(2**32) for _ in range(5)))
                for _ in range(size)
            ),
        )
        assert bytes(oracle.reportDigest(report.header, report.words)) == report.digest


def test_report_digest__no_figures__hash_of_no_bytes(
    desk: Newsdesk, oracle: ContractInstance
) -> None:
    empty, one = desk.report(1), desk.report(1, 1)
    assert bytes(oracle.reportDigest(one.header, [])) == empty.digest_over(one.root)
    assert bytes(oracle.reportDigest(one.header, one.words)) == one.digest


def test_eip712_domain__as_deployed__as_documented(oracle: ContractInstance) -> None:
    domain = oracle.eip712Domain()
    assert (domain.name, domain.version) == ("Rackstream MetricsOracle", "1")
    assert (domain.chainId, domain.verifyingContract) == (chain.chain_id, oracle.address)
