// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ClusterStatus, IClusterRegistry} from "../../../contracts/registry/interfaces/IClusterRegistry.sol";
import {HolderDesk} from "../../../contracts/share/HolderDesk.sol";
import {IClusterShareNotices} from "../../../contracts/share/interfaces/IClusterShareNotices.sol";
import {IHolderDesk} from "../../../contracts/share/interfaces/IHolderDesk.sol";
import {ClusterId} from "../../../contracts/types/ClusterId.sol";
import {RegistryStub} from "../revenue/CapitalFixture.sol";
import {vm} from "../Vm.sol";

/// @notice What a share can do when it is claimed from.
enum Manner {
    Pay,
    Burn,
    Bomb,
    Mute,
    Nothing
}

/// @notice A share that pays in its own way, and takes most of what a claim is given to do it.
contract OddShare {
    Manner public immutable MANNER;
    uint256 public immutable WORK;
    uint256 public claims;

    constructor(Manner manner, uint256 work) {
        (MANNER, WORK) = (manner, work);
    }

    function claimFor(address owner) external returns (uint256) {
        if (MANNER == Manner.Nothing) revert IClusterShareNotices.ClusterShare_NothingToClaim(owner);
        uint256 until = MANNER == Manner.Burn ? 0 : gasleft() > WORK ? gasleft() - WORK : 0;
        while (gasleft() > until) {}
        if (MANNER == Manner.Bomb) {
            assembly ("memory-safe") {
                revert(mload(0x40), 200000)
            }
        }
        if (MANNER == Manner.Mute) {
            assembly ("memory-safe") {
                return(mload(0x40), 31)
            }
        }
        ++claims;
        return 7;
    }
}

/// @notice Claims in many clusters, some of whose shares are hostile, with any gas.
contract DeskGasTest {
    RegistryStub private registry;
    HolderDesk private desk;
    uint32 private count;

    event ClaimSkipped(ClusterId indexed clusterId, address indexed owner, bytes reason);

    function setUp() external {
        registry = new RegistryStub();
        desk = new HolderDesk(IClusterRegistry(address(registry)));
    }

    function test_claim_many__one_takes_all_its_gas__the_others_are_paid_and_the_cost_is_bounded() external {
        _add(Manner.Pay, 0);
        _add(Manner.Burn, 0);
        OddShare last = _add(Manner.Pay, 0);
        (uint256[] memory amounts, uint256 used) = _claim(3_000_000);
        require(amounts[0] == 7 && amounts[1] == 0 && amounts[2] == 7, "the others were not paid");
        require(last.claims() == 1, "the last was not paid");
        require(used < desk.CLAIM_GAS() + 150_000, "more than the limit was used");
    }

    /// @dev Sixty-four shares that revert with as much as they can afford: what is copied is bounded, so the cost is.
    function test_claim_many__each_reverts_with_a_bomb__costs_no_more_than_the_calls() external {
        for (uint256 i; i < 64; ++i) {
            _add(Manner.Bomb, 0);
        }
        (uint256[] memory amounts, uint256 used) = _claim(29_000_000);
        for (uint256 i; i < 64; ++i) {
            require(amounts[i] == 0, "a bomb paid");
        }
        require(used / 64 < 120_000, "the bombs' data were copied");
    }

    function test_claim_many__reverts_with_a_lot__tells_the_first_of_it() external {
        _add(Manner.Bomb, 0);
        vm.expectEmit(address(desk));
        emit ClaimSkipped(ClusterId.wrap(1), address(this), new bytes(256));
        _claim(1_000_000);
    }

    /// @dev It neither reverts nor says an amount: not a claim that was paid.
    function test_claim_many__answers_too_little__counts_for_nothing() external {
        _add(Manner.Mute, 0);
        vm.expectEmit(address(desk));
        emit ClaimSkipped(ClusterId.wrap(1), address(this), new bytes(31));
        (uint256[] memory amounts,) = _claim(1_000_000);
        require(amounts[0] == 0, "an answer of 31 bytes was read");
    }

    /// @dev With whatever gas: all are paid or the call fails whole. Nobody can have a claim fail for want of gas.
    function test_claim_many__with_any_gas__all_or_the_call_fails(uint256 gas, uint256 work) external {
        gas = 20_000 + gas % 2_000_000;
        work = work % 250_000;
        for (uint256 i; i < 4; ++i) {
            _add(i == 2 ? Manner.Nothing : Manner.Pay, work);
        }
        try desk.claimMany{gas: gas}(address(this), _ids()) returns (uint256[] memory amounts) {
            require(amounts[0] == 7 && amounts[1] == 7 && amounts[3] == 7, "a claim failed for want of gas");
        } catch (bytes memory reason) {
            bool isRefused = bytes4(reason) == IHolderDesk.HolderDesk_TooLittleGas.selector;
            require(isRefused || reason.length == 0, "another failure");
        }
    }

    /// @dev Where what is left would just do to finish after a claim that has failed for want of gas.
    function test_claim_many__with_gas_around_what_a_claim_is_given__paid_or_refused() external {
        OddShare share = _add(Manner.Pay, 270_000);
        ClusterId[] memory ids = _ids();
        for (uint256 gas = 280_000; gas < 380_000; gas += 100) {
            uint256 before = share.claims();
            try desk.claimMany{gas: gas}(address(this), ids) returns (uint256[] memory amounts) {
                require(amounts[0] == 7 && share.claims() == before + 1, "a claim failed for want of gas");
            } catch (bytes memory reason) {
                require(bytes4(reason) == IHolderDesk.HolderDesk_TooLittleGas.selector, "another failure");
            }
        }
        require(share.claims() != 0, "none was paid");
    }

    function _add(Manner manner, uint256 work) private returns (OddShare share) {
        share = new OddShare(manner, work);
        registry.set(ClusterId.wrap(++count), ClusterStatus.Live, address(share));
    }

    function _claim(uint256 gas) private returns (uint256[] memory amounts, uint256 used) {
        ClusterId[] memory ids = _ids();
        used = gasleft();
        amounts = desk.claimMany{gas: gas}(address(this), ids);
        used -= gasleft();
    }

    function _ids() private view returns (ClusterId[] memory ids) {
        ids = new ClusterId[](count);
        for (uint32 i; i < count; ++i) {
            ids[i] = ClusterId.wrap(i + 1);
        }
    }
}
