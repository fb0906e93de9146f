// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";
import {Authority} from "../../../contracts/access/Authority.sol";
import {TestUsd} from "../../../contracts/mocks/TestUsd.sol";
import {InferencePayments} from "../../../contracts/payments/InferencePayments.sol";
import {IClusterRegistry} from "../../../contracts/registry/interfaces/IClusterRegistry.sol";
import {ModelRegistry} from "../../../contracts/registry/ModelRegistry.sol";
import {IncomeKind, IRevenueSink} from "../../../contracts/revenue/interfaces/IRevenueSink.sol";
import {ClusterId} from "../../../contracts/types/ClusterId.sol";
import {ModelId} from "../../../contracts/types/ModelId.sol";
import {Work} from "../../../contracts/types/Work.sol";
import {vm} from "../Vm.sol";

/// @notice Takes income, unless it was told to refuse that of a cluster; every cluster has been Live.
contract SinkStub is IRevenueSink {
    TestUsd private immutable USD;
    mapping(ClusterId => uint256) public received;
    mapping(ClusterId => bool) public refuses;

    constructor(TestUsd usd) {
        USD = usd;
    }

    function setRefuses(ClusterId clusterId, bool on) external {
        refuses[clusterId] = on;
    }

    function receiveIncome(ClusterId clusterId, uint256 amountUsd6, IncomeKind, bytes32)
        external
        returns (uint256)
    {
        require(!refuses[clusterId], "refused");
        USD.transferFrom(msg.sender, address(this), amountUsd6);
        received[clusterId] += amountUsd6;
        return amountUsd6;
    }

    function epochRange(ClusterId) external pure returns (uint32, uint32) {
        return (1, 0);
    }
}

/// @notice One voucher to be signed and packed. `signer` is the number of a secret; parts are of the works in their order and
///         go on from `before`; all of it goes to `place` if there are none.
struct Draft {
    address payer;
    uint256 signer;
    uint256 cumulative;
    uint8 place;
    uint256 before;
    uint56[] parts;
}

/// @notice Three payers with a session key each, two gateways, two clusters, and two models. Whoever inherits is the admin
///         and owns the models.
abstract contract PaymentsFixture {
    uint256 internal constant PAYERS = 3;
    uint256 internal constant GATEWAYS = 2;
    uint256 internal constant WORKS = 4;
    bytes32 internal constant ROOT = bytes32(uint256(7));

    TestUsd internal usd;
    SinkStub internal sink;
    ModelRegistry internal registry;
    InferencePayments internal payments;
    ClusterId[] internal clusters;
    ModelId[] internal models;
    Work[] internal works;

    function _open() internal {
        vm.warp(1_800_000_000);
        usd = new TestUsd();
        sink = new SinkStub(usd);
        registry = new ModelRegistry();
        payments = new InferencePayments(
            address(0xFEE),
            new Authority(address(this)),
            IClusterRegistry(address(sink)),
            sink,
            registry,
            IERC20Metadata(address(usd))
        );
        usd.approve(address(payments), type(uint256).max);
        clusters.push(ClusterId.wrap(3));
        clusters.push(ClusterId.wrap(9));
        _register();
    }

    /// @dev The first cluster works with both models and with one that is nobody's, the second with one of them.
    function _register() private {
        ModelId first = registry.register("first", _payTo(0), 337, 0);
        ModelId second = registry.register("second", _payTo(1), 1_000, 0);
        if (ModelId.unwrap(first) > ModelId.unwrap(second)) (first, second) = (second, first);
        models.push(first);
        models.push(second);
        works.push(Work(clusters[0], ModelId.wrap(0)));
        works.push(Work(clusters[0], first));
        works.push(Work(clusters[0], second));
        works.push(Work(clusters[1], first));
    }

    function _payTo(uint256 number) internal pure returns (address) {
        return address(uint160(0xB0 + number % 2));
    }

    /// @dev The secret of a payer; of its session key with `hot`.
    function _secret(uint256 payer, bool hot) internal pure returns (uint256) {
        return 1 + payer % PAYERS + (hot ? 100 : 0);
    }

    function _payer(uint256 payer) internal pure returns (address) {
        return vm.addr(_secret(payer, false));
    }

    function _key(uint256 payer, bool hot) internal pure returns (address) {
        return vm.addr(_secret(payer, hot));
    }

    function _gateway(uint256 gateway) internal pure returns (address) {
        return address(uint160(0xA0 + gateway % GATEWAYS));
    }

    function _deposit(address payer, uint256 amount) internal {
        usd.mint(address(this), amount);
        payments.depositFor(payer, amount);
    }

    function _collect(address gateway, Draft[] memory drafts) internal returns (uint256) {
        bytes memory batch;
        for (uint256 i; i < drafts.length; ++i) {
            batch = bytes.concat(batch, _packed(gateway, drafts[i]));
        }
        vm.prank(gateway);
        return payments.collect(batch, works, ROOT);
    }

    function _packed(address gateway, Draft memory draft) private view returns (bytes memory voucher) {
        bytes32 digest = payments.voucherDigest(draft.payer, gateway, draft.cumulative);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(draft.signer, digest);
        voucher = abi.encodePacked(
            uint8(draft.parts.length),
            draft.payer,
            uint56(draft.cumulative),
            r,
            uint256(s) | uint256(v - 27) << 255
        );
        if (draft.parts.length == 0) return abi.encodePacked(voucher, draft.place);
        voucher = abi.encodePacked(voucher, uint56(draft.before));
        for (uint256 i; i < draft.parts.length; ++i) {
            voucher = abi.encodePacked(voucher, uint8(i % WORKS), draft.parts[i]);
        }
    }

    function _lock(uint256 payer, bool hot, address gateway, uint256 cover, uint256 until) internal {
        address key = _key(payer, hot);
        bytes32 digest = payments.lockDigest(_payer(payer), key, gateway, cover, until);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(_secret(payer, hot), digest);
        address owner = _payer(payer);
        vm.prank(gateway);
        payments.lock(owner, key, cover, until, abi.encodePacked(r, s, v));
    }

    /// @dev `value` brought into [low, high].
    function _bound(uint256 value, uint256 low, uint256 high) internal pure returns (uint256) {
        return low + value % (high - low + 1);
    }
}
