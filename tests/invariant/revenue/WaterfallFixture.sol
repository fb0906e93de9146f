// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";
import {Authority} from "../../../contracts/access/Authority.sol";
import {Powers} from "../../../contracts/access/Powers.sol";
import {IHoldingRules} from "../../../contracts/compliance/interfaces/IHoldingRules.sol";
import {TestTranche} from "../../../contracts/mocks/TestTranche.sol";
import {TestUsd} from "../../../contracts/mocks/TestUsd.sol";
import {IMetricsOracle} from "../../../contracts/oracle/interfaces/IMetricsOracle.sol";
import {
    Cluster,
    ClusterSpec,
    ClusterStatus,
    IClusterRegistry
} from "../../../contracts/registry/interfaces/IClusterRegistry.sol";
import {IncomeKind} from "../../../contracts/revenue/interfaces/IRevenueSink.sol";
import {WaterfallState} from "../../../contracts/revenue/interfaces/IWaterfall.sol";
import {Waterfall} from "../../../contracts/revenue/Waterfall.sol";
import {ClusterShare} from "../../../contracts/share/ClusterShare.sol";
import {ClusterId} from "../../../contracts/types/ClusterId.sol";
import {MeterReading} from "../../../contracts/types/MeterReading.sol";
import {OpenDoor, deployShare} from "../share/ShareFixture.sol";
import {vm} from "../Vm.sol";

/// @notice The registry and the oracle of one cluster, whose life and meters the test sets. What it says of epochs
///         follows the two interfaces: an epoch is resolved when it is reported, or a day after its end.
contract ClusterStub {
    ClusterStatus private _status = ClusterStatus.Proposed;
    address private _share;
    uint32 private _firstEpoch;
    uint32 private _lastEpoch;
    uint32 private _reportedEpoch;
    uint56 private _energyWh;
    uint32[] private _specEpochs;
    mapping(uint32 fromEpoch => ClusterSpec) private _specs;
    mapping(uint32 epoch => uint56 energyWh) private _energyUpTo;

    constructor(ClusterSpec memory spec) {
        schedule(0, spec);
    }

    function schedule(uint32 fromEpoch, ClusterSpec memory spec) public {
        _specEpochs.push(fromEpoch);
        _specs[fromEpoch] = spec;
    }

    function openFunding(address share) external {
        (_status, _share) = (ClusterStatus.Funding, share);
    }

    function goLive() external {
        (_status, _firstEpoch) = (ClusterStatus.Live, uint32(block.timestamp / 1 hours + 1));
    }

    function retire() external {
        uint32 running = uint32(block.timestamp / 1 hours);
        (_status, _lastEpoch) = (ClusterStatus.Retired, running < _firstEpoch ? _firstEpoch : running);
    }

    /// @dev The caller reports epochs in order, none after its grace unless without energy.
    function report(uint32 epoch, uint32 energyWh) external {
        _reportedEpoch = epoch;
        _energyWh += energyWh;
        _energyUpTo[epoch] = _energyWh;
    }

    function statusOf(ClusterId) external view returns (ClusterStatus) {
        return _status;
    }

    function cluster(ClusterId) external view returns (Cluster memory) {
        return Cluster(_status, _firstEpoch, _lastEpoch, uint64(type(int64).max), _share);
    }

    function epochRange(ClusterId) external view returns (uint32, uint32) {
        return (_firstEpoch, _lastEpoch);
    }

    function specEpochAt(ClusterId, uint256 epoch) public view returns (uint32 fromEpoch) {
        for (uint256 i; i < _specEpochs.length; ++i) {
            if (_specEpochs[i] <= epoch) fromEpoch = _specEpochs[i];
        }
    }

    function specAt(ClusterId clusterId, uint256 epoch) external view returns (ClusterSpec memory, uint32) {
        uint32 fromEpoch = specEpochAt(clusterId, epoch);
        return (_specs[fromEpoch], fromEpoch);
    }

    function resolvedEpoch(ClusterId) external view returns (uint32) {
        uint32 resolved = uint32((block.timestamp - 1 days) / 1 hours - 1);
        if (resolved < _firstEpoch - 1) resolved = _firstEpoch - 1;
        if (resolved < _reportedEpoch) resolved = _reportedEpoch;
        return _lastEpoch != 0 && resolved > _lastEpoch ? _lastEpoch : resolved;
    }

    function reading(ClusterId) external view returns (MeterReading memory) {
        return MeterReading(_reportedEpoch, _energyWh, 0, 0, 0);
    }

    function readingBefore(ClusterId, uint32 specEpoch) external view returns (MeterReading memory) {
        uint32 epoch = specEpoch - 1;
        while (epoch >= _firstEpoch && _energyUpTo[epoch] == 0) --epoch;
        return MeterReading(epoch, _energyUpTo[epoch], 0, 0, 0);
    }
}

/// @notice One cluster's waterfall, with two tranches, a real share and stubs for what it reads. Whoever inherits is
///         issuer, operator, trustee and customer.
abstract contract WaterfallFixture {
    ClusterId internal constant CLUSTER = ClusterId.wrap(1);
    uint256 internal constant SCALE = 3.6e10;
    /// @dev The start of an epoch.
    uint256 internal constant START = 1_800_000_000;
    uint32 internal constant FIRST_EPOCH = uint32(START / 1 hours + 1);
    address internal constant HOLDER = address(0xF1);
    address internal constant OPERATOR = address(0x0FE);

    TestUsd internal usd;
    Waterfall internal waterfall;
    ClusterStub internal cluster;
    ClusterShare internal share;
    TestTranche internal senior;
    TestTranche internal junior;
    uint256 internal time;

    function _open(ClusterSpec memory spec) internal {
        _warp(START);
        usd = new TestUsd();
        cluster = new ClusterStub(spec);
        Authority authority = new Authority(address(this));
        authority.grantRole(Powers.CLUSTER_REGISTRY_ROLE, address(this), 0);
        authority.grantRole(Powers.REGISTRAR_ROLE, address(this), 0);
        authority.grantRole(Powers.over(Powers.ISSUER, CLUSTER), address(this), 0);
        authority.grantRole(Powers.over(Powers.OPERATOR, CLUSTER), address(this), 0);
        authority.grantRole(Powers.over(Powers.TRUSTEE, CLUSTER), address(this), 0);
        IClusterRegistry registry = IClusterRegistry(address(cluster));
        waterfall = new Waterfall(
            authority, registry, IMetricsOracle(address(cluster)), IERC20Metadata(address(usd))
        );
        share = deployShare(
            authority,
            registry,
            IHoldingRules(address(new OpenDoor())),
            address(waterfall),
            IERC20Metadata(address(usd)),
            address(this)
        );
        (senior, junior) = (new TestTranche(CLUSTER), new TestTranche(CLUSTER));
        waterfall.appendTranche(CLUSTER, address(senior));
        waterfall.appendTranche(CLUSTER, address(junior));
        cluster.openFunding(address(share));
        address[] memory holders = new address[](1);
        uint256[] memory amounts = new uint256[](1);
        (holders[0], amounts[0]) = (HOLDER, 1e12);
        share.issue(holders, amounts);
        cluster.goLive();
        usd.approve(address(waterfall), type(uint256).max);
    }

    /// @dev A GPU that draws 1,000 W at most, PUE 1.5, $0.10 a kWh: $0.15 an hour; and $0.30 an hour beside.
    function _spec() internal pure returns (ClusterSpec memory spec) {
        spec.gpuCount = 1;
        spec.gpuMaxPowerWatts = 1000;
        spec.pueBps = 15_000;
        spec.tariffUsd6PerKwh = 100_000;
        spec.contractedRateUsd6PerGpuHour = 300_000;
        spec.reserveShareBps = 1000;
        spec.reserveTargetUsd6 = 10e6;
    }

    function _warp(uint256 to) internal {
        time = to;
        vm.warp(to);
    }

    function _receive(uint256 amountUsd6) internal {
        usd.mint(address(this), amountUsd6);
        waterfall.receiveIncome(CLUSTER, amountUsd6, IncomeKind.Inference, bytes32(0));
    }

    function _state() internal view returns (WaterfallState memory) {
        return waterfall.state(CLUSTER);
    }

    /// @dev Equations 1 and 2 of this folder's README.
    function _checkConservation() internal view {
        WaterfallState memory s = _state();
        require(
            s.received
                == s.undistributed + s.operatorAssigned + s.tranchesAssigned + s.reserveAssigned
                    + s.holdersAssigned,
            "income is not conserved"
        );
        require(
            usd.balanceOf(address(waterfall)) + s.operatorPaid + s.tranchesPaid + s.reserveDrawn
                    + s.holdersStreamed == s.received,
            "the waterfall holds something else"
        );
        require(s.operatorPaid <= s.operatorEarned, "the operator was paid too much");
        require(s.operatorEarned + s.escrowed == s.operatorAssigned, "the escrow is something else");
        require(s.reserveDrawn <= s.reserveAssigned, "the reserve was overdrawn");
        require(
            share.streamState().fundedUsd6 == s.holdersStreamed, "the share was funded with something else"
        );
    }

    function _bound(uint256 value, uint256 low, uint256 high) internal pure returns (uint256) {
        return low + value % (high - low + 1);
    }
}
