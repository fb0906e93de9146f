"""MetricsOracle.postReport: every report that is refused, with what it is told."""

from __future__ import annotations

from dataclasses import dataclass, replace

import ape
import pytest
from ape import chain
from ape.api import AccountAPI
from ape.contracts import ContractInstance
from eth_account import Account

from tests.support.oracle import (
    UINT32_MAX,
    Figures,
    Newsdesk,
    Report,
    end_of,
    malleated,
    quorum_of,
    reporter_keys,
)
from tests.support.scenario import EPOCH_SECONDS, Scenario, travel_to_epoch

ZERO_ADDRESS = "0x" + "00" * 20


@dataclass(frozen=True)
class RawFigures(Figures):
    """A word that the other fields do not make."""

    raw: int = 0

    @property
    def word(self) -> int:
        return self.raw


@pytest.fixture
def report(desk: Newsdesk, clusters: list[int], first_epoch: int) -> Report:
    """A report of all clusters that is good as it is; it is time for it."""
    travel_to_epoch(first_epoch + 1)
    return desk.report(first_epoch, *clusters)


@pytest.fixture(params=[0, 3_600], ids=["at once", "window"])
def _any_window(
    request: pytest.FixtureRequest, oracle: ContractInstance, oracle_admin: AccountAPI
) -> None:
    oracle.setDisputeWindow(request.param, sender=oracle_admin)


def test_post_report__one_signature_less_than_quorum__refused(
    desk: Newsdesk, oracle: ContractInstance, report: Report
) -> None:
    with ape.reverts(oracle.MetricsOracle_NoQuorum, signatures=4, quorum=5):
        desk.post(report, desk.keys[:4])


def test_post_report__no_signature__refused(
    desk: Newsdesk, oracle: ContractInstance, report: Report
) -> None:
    with ape.reverts(oracle.MetricsOracle_NoQuorum, signatures=0, quorum=5):
        desk.post(report, [])


@pytest.mark.parametrize("count", [1, 2, 3, 4, 6, 31])
def test_post_report__sets_of_every_size__quorum_is_more_than_two_thirds(
    desk: Newsdesk, oracle: ContractInstance, oracle_admin: AccountAPI, report: Report, count: int
) -> None:
    keys = reporter_keys(count)
    oracle.setReporters([key.address for key in keys], sender=oracle_admin)
    needed = quorum_of(count)
    signed = replace(report, set_id=oracle.reporterSetId())
    with ape.reverts(oracle.MetricsOracle_NoQuorum, signatures=needed - 1, quorum=needed):
        desk.post(signed, keys[: needed - 1])
    with chain.isolate():
        desk.post(signed, keys[-needed:])
        assert oracle.report(signed.root).postedAt != 0


@pytest.mark.parametrize("position", [1, 4])
def test_post_report__same_signer_twice__refused(
    desk: Newsdesk, oracle: ContractInstance, report: Report, position: int
) -> None:
    signers = [*desk.keys[:position], desk.keys[0], *desk.keys[position + 1 : 5]]
    with ape.reverts(oracle.MetricsOracle_DuplicateSigner, signer=desk.keys[0].address):
        desk.post(report, signers)


def test_post_report__same_signer_beyond_the_quorum__refused(
    desk: Newsdesk, oracle: ContractInstance, report: Report
) -> None:
    with ape.reverts(oracle.MetricsOracle_DuplicateSigner, signer=desk.keys[2].address):
        desk.post(report, [*desk.keys[:5], desk.keys[2]])


@pytest.mark.parametrize("position", [0, 4, 5])
def test_post_report__signer_who_is_no_reporter__refused_with_index(
    desk: Newsdesk, oracle: ContractInstance, report: Report, position: int
) -> None:
    stranger = Account.create()
    signers = [*desk.keys[:position], stranger, *desk.keys[position:5]]
    with ape.reverts(oracle.MetricsOracle_NotAReporter, index=position, signer=stranger.address):
        desk.post(report, signers)


@pytest.mark.parametrize(
    "change", ["chain", "contract", "set", "epoch", "round", "root", "figures", "order"]
)
def test_post_report__signed_over_other_bytes__refused(
    desk: Newsdesk, oracle: ContractInstance, report: Report, change: str
) -> None:
    signed = {
        "chain": replace(report, chain_id=report.chain_id + 1),
        "contract": replace(report, oracle=str(desk.transmitter.address)),
        "set": replace(report, set_id=report.set_id + 1),
        "epoch": replace(report, epoch=report.epoch - 1),
        "round": replace(report, round=1),
        "root": replace(report, salt=1),
        "figures": replace(
            report, figures=(replace(report.figures[0], billable=0), *report.figures[1:])
        ),
        "order": replace(report, figures=report.figures[::-1]),
    }[change]
    assert signed.digest != report.digest
    signatures = signed.signatures(desk.quorum)
    recovered = Account._recover_hash(report.digest, signature=signatures[:65])
    with ape.reverts(oracle.MetricsOracle_NotAReporter, index=0, signer=recovered):
        oracle.postReport(*report.args(signatures), sender=desk.transmitter)


def test_post_report__figures_changed_after_signing__refused(
    desk: Newsdesk, oracle: ContractInstance, report: Report
) -> None:
    signatures = report.signatures(desk.quorum)
    words = report.words
    words[1] += 1 << 128
    with ape.reverts(oracle.MetricsOracle_NotAReporter, index=0):
        oracle.postReport(report.header, words, signatures, sender=desk.transmitter)


@pytest.mark.parametrize("position", [0, 4])
def test_post_report__malleated_signature__refused(
    desk: Newsdesk, oracle: ContractInstance, report: Report, position: int
) -> None:
    signatures = [report.signature(key) for key in desk.quorum]
    twin = malleated(signatures[position])
    assert Account._recover_hash(report.digest, signature=twin) == desk.keys[position].address
    signatures[position] = twin
    with ape.reverts(oracle.MetricsOracle_NotAReporter, index=position, signer=ZERO_ADDRESS):
        oracle.postReport(*report.args(b"".join(signatures)), sender=desk.transmitter)


def test_post_report__signature_with_its_malleated_twin__is_not_two(
    desk: Newsdesk, oracle: ContractInstance, report: Report
) -> None:
    signatures = [report.signature(key) for key in desk.keys[:4]]
    signatures.append(malleated(signatures[0]))
    with ape.reverts(oracle.MetricsOracle_NotAReporter, index=4, signer=ZERO_ADDRESS):
        oracle.postReport(*report.args(b"".join(signatures)), sender=desk.transmitter)


@pytest.mark.parametrize("v", [0, 1, 29])
def test_post_report__recovery_byte_out_of_range__refused(
    desk: Newsdesk, oracle: ContractInstance, report: Report, v: int
) -> None:
    signatures = bytearray(report.signatures(desk.quorum))
    signatures[2 * 65 + 64] = v
    with ape.reverts(oracle.MetricsOracle_NotAReporter, index=2, signer=ZERO_ADDRESS):
        oracle.postReport(*report.args(bytes(signatures)), sender=desk.transmitter)


def test_post_report__signature_of_zeros__refused(
    desk: Newsdesk, oracle: ContractInstance, report: Report
) -> None:
    signatures = report.signatures(desk.keys[:4]) + bytes(65)
    with ape.reverts(oracle.MetricsOracle_NotAReporter, index=4, signer=ZERO_ADDRESS):
        oracle.postReport(*report.args(signatures), sender=desk.transmitter)


@pytest.mark.parametrize("change", [-65 * 5 + 1, -1, 1])
def test_post_report__length_no_multiple_of_a_signature__refused(
    desk: Newsdesk, oracle: ContractInstance, report: Report, change: int
) -> None:
    signatures = (report.signatures(desk.quorum) + bytes(64))[: 5 * 65 + change]
    with ape.reverts(oracle.MetricsOracle_SignaturesMalformed, length=len(signatures)):
        oracle.postReport(*report.args(signatures), sender=desk.transmitter)


@pytest.mark.parametrize("difference", [-1, 1])
def test_post_report__other_reporter_set__refused(
    desk: Newsdesk, oracle: ContractInstance, report: Report, difference: int
) -> None:
    other = replace(report, set_id=report.set_id + difference)
    with ape.reverts(
        oracle.MetricsOracle_WrongReporterSet, reporterSetId=other.set_id, current=report.set_id
    ):
        desk.post(other)


def test_post_report__reporters_replaced__old_set_counts_for_an_hour_and_not_a_second_more(
    desk: Newsdesk, oracle: ContractInstance, oracle_admin: AccountAPI, report: Report
) -> None:
    others = tuple(reporter_keys(9))[4:]
    replaced = oracle.setReporters([key.address for key in others], sender=oracle_admin)
    until = replaced.timestamp + oracle.OVERLAP_SECONDS()
    assert oracle.reporterSetUntil(report.set_id) == until
    with chain.isolate():
        desk.post_at(until - 1, report)
        assert oracle.report(report.root).reporterSetId == report.set_id
    with ape.reverts(
        oracle.MetricsOracle_WrongReporterSet,
        reporterSetId=report.set_id,
        current=report.set_id + 1,
    ):
        desk.post_at(until, report)


def test_post_report__old_set_after_a_change__needs_its_own_quorum(
    desk: Newsdesk, oracle: ContractInstance, oracle_admin: AccountAPI, report: Report
) -> None:
    newcomer = Account.create()
    oracle.setReporters([newcomer.address], sender=oracle_admin)
    with ape.reverts(oracle.MetricsOracle_NoQuorum, signatures=1, quorum=len(desk.quorum)):
        desk.post(report, [newcomer])
    newer = replace(report, set_id=report.set_id + 1)
    with ape.reverts(oracle.MetricsOracle_NotAReporter, index=0, signer=desk.keys[0].address):
        desk.post(newer)


def test_post_report__reporters_replaced_twice__only_the_last_but_one_counts(
    desk: Newsdesk, oracle: ContractInstance, oracle_admin: AccountAPI, report: Report
) -> None:
    keys = [key.address for key in desk.keys]
    oracle.setReporters(keys, sender=oracle_admin)
    oracle.setReporters(keys, sender=oracle_admin)
    with ape.reverts(oracle.MetricsOracle_WrongReporterSet):
        desk.post(report)
    desk.post(replace(report, set_id=report.set_id + 1))
    untils = [oracle.reporterSetUntil(report.set_id + change) for change in (0, 2, 3)]
    assert untils == [0, 2**256 - 1, 0]
    assert oracle.reporterSetUntil(0) == 0


@pytest.mark.parametrize("epoch_ahead", [1, 1_000])
def test_post_report__future_epoch__refused(
    desk: Newsdesk, oracle: ContractInstance, report: Report, epoch_ahead: int
) -> None:
    epoch = report.epoch + epoch_ahead
    with ape.reverts(oracle.MetricsOracle_EpochNotOver, epoch=epoch, endsAt=end_of(epoch)):
        desk.post(replace(report, epoch=epoch))


def test_post_report__last_epoch_that_a_word_can_hold__refused(
    desk: Newsdesk, oracle: ContractInstance, report: Report
) -> None:
    with ape.reverts(
        oracle.MetricsOracle_EpochNotOver,
        epoch=UINT32_MAX,
        endsAt=(UINT32_MAX + 1) * EPOCH_SECONDS,
    ):
        desk.post(replace(report, epoch=UINT32_MAX))


def test_post_report__last_second_of_the_epoch__refused(
    desk: Newsdesk, oracle: ContractInstance, clusters: list[int], first_epoch: int
) -> None:
    ends_at = end_of(first_epoch)
    report = desk.report(first_epoch, *clusters)
    with ape.reverts(oracle.MetricsOracle_EpochNotOver, epoch=first_epoch, endsAt=ends_at):
        desk.post_at(ends_at - 1, report)
    assert oracle.report(report.root).postedAt == 0
    desk.post_at(ends_at, report)
    assert oracle.report(report.root).postedAt == ends_at


@pytest.mark.parametrize("signers", [slice(0, 5), slice(2, 7)])
def test_post_report__replayed__refused_whoever_signs(
    desk: Newsdesk, oracle: ContractInstance, report: Report, signers: slice
) -> None:
    with chain.isolate():
        desk.post(report)
        with ape.reverts(oracle.MetricsOracle_Replayed, root=report.root):
            desk.post(report, desk.keys[signers])


def test_post_report__no_figures__refused(
    desk: Newsdesk, oracle: ContractInstance, report: Report
) -> None:
    with ape.reverts(oracle.MetricsOracle_NoFigures):
        oracle.postReport(
            report.header, [], report.signatures(desk.quorum), sender=desk.transmitter
        )


def test_post_report__zero_root__refused(
    desk: Newsdesk, oracle: ContractInstance, report: Report
) -> None:
    with ape.reverts(oracle.MetricsOracle_ZeroRoot):
        oracle.postReport(
            (report.set_id, report.epoch, report.round, bytes(32)),
            report.words,
            report.signatures(desk.quorum),
            sender=desk.transmitter,
        )


def test_post_report__epoch_zero_which_unmeasured_clusters_expect__refused(
    desk: Newsdesk, oracle: ContractInstance, scenario: Scenario
) -> None:
    proposed = scenario.register_cluster()
    with ape.reverts(oracle.MetricsOracle_ZeroEpoch):
        desk.post(desk.report(0, proposed))


@pytest.mark.usefixtures("_any_window")
@pytest.mark.parametrize(
    "fault",
    [
        {"billable": 101, "busy": 100, "available": 200, "contracted": 300},
        {"billable": 100, "busy": 201, "available": 200, "contracted": 300},
        {"billable": 100, "busy": 200, "available": 301, "contracted": 300},
        {"billable": 1, "busy": 0, "available": 0, "contracted": 0},
        {"billable": 0, "busy": 0, "available": UINT32_MAX, "contracted": UINT32_MAX - 1},
        {"billable": UINT32_MAX, "busy": 0, "available": UINT32_MAX, "contracted": UINT32_MAX},
    ],
)
def test_post_report__figures_that_contradict_themselves__refused_with_index(
    desk: Newsdesk, oracle: ContractInstance, report: Report, fault: dict[str, int]
) -> None:
    *first, last = report.figures
    bad = replace(report, figures=(*first, replace(last, **fault)))
    with ape.reverts(oracle.MetricsOracle_Incoherent, index=2, figures=bad.words[2]):
        desk.post(bad)


@pytest.mark.usefixtures("_any_window")
@pytest.mark.parametrize("bit", [192, 224, 255])
def test_post_report__unused_bit_set__refused(
    desk: Newsdesk, oracle: ContractInstance, report: Report, bit: int
) -> None:
    figures = list(report.figures)
    figures[1] = RawFigures(figures[1].cluster_id, raw=figures[1].word | 1 << bit)
    bad = replace(report, figures=tuple(figures))
    with ape.reverts(oracle.MetricsOracle_Incoherent, index=1, figures=bad.words[1]):
        desk.post(bad)


@pytest.mark.usefixtures("_any_window")
@pytest.mark.parametrize("bits_above", [0, 1 << 192])
def test_post_report__figures_of_no_cluster__refused(
    desk: Newsdesk, oracle: ContractInstance, report: Report, bits_above: int
) -> None:
    word = Figures(0).word | bits_above
    bad = replace(report, figures=(RawFigures(0, raw=word),))
    with ape.reverts(oracle.MetricsOracle_Incoherent, index=0, figures=word):
        desk.post(bad)


@pytest.mark.usefixtures("_any_window")
@pytest.mark.parametrize(
    ("order", "index"), [((1, 0), 1), ((0, 0), 1), ((0, 2, 1), 2), ((0, 1, 1), 2), ((2, 0), 1)]
)
def test_post_report__clusters_not_ascending__refused_with_index(
    desk: Newsdesk,
    oracle: ContractInstance,
    report: Report,
    clusters: list[int],
    order: tuple[int, ...],
    index: int,
) -> None:
    figures = tuple(Figures(clusters[place]) for place in order)
    with ape.reverts(
        oracle.MetricsOracle_NotAscending, index=index, clusterId=clusters[order[index]]
    ):
        desk.post(replace(report, figures=figures))
