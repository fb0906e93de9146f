// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

/// @notice Synthetix's StakingRewards, restated for `make bench AREA=gas`: its variables, its arithmetic, its order.
/// @dev Made cheaper than the original wherever that takes nothing away: to hold is to stake, so that a transfer is one
///      transaction and not unstake, transfer and stake; the lock is transient; what never changes is constant. No
///      rule says who may hold, and there are no votes. It has the original's faults: a funding spreads what has not
///      yet run over a new day, so that dust delays it, and the division by the duration loses its remainder.
contract AccumulatorShare is ERC20, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    uint256 public constant REWARDS_DURATION = 1 days;

    IERC20 public immutable REWARDS_TOKEN;
    address public immutable REWARDS_DISTRIBUTION;

    uint256 public periodFinish;
    uint256 public rewardRate;
    uint256 public lastUpdateTime;
    uint256 public rewardPerTokenStored;
    mapping(address account => uint256) public userRewardPerTokenPaid;
    mapping(address account => uint256) public rewards;

    event RewardAdded(uint256 reward);
    event RewardPaid(address indexed account, uint256 reward);

    error AccumulatorShare_NotTheDistribution(address account);
    error AccumulatorShare_RewardTooHigh(uint256 rate, uint256 limit);

    modifier updateReward(address account) {
        _updateReward(account);
        _;
    }

    constructor(IERC20 rewardsToken, address rewardsDistribution) ERC20("Accumulator", "ACCU") {
        REWARDS_TOKEN = rewardsToken;
        REWARDS_DISTRIBUTION = rewardsDistribution;
    }

    function decimals() public pure override returns (uint8) {
        return 6;
    }

    /// @dev Open to all: an access check would only make it dearer.
    function issue(address[] calldata accounts, uint256[] calldata amounts) external {
        for (uint256 i; i < accounts.length; ++i) {
            _mint(accounts[i], amounts[i]);
        }
    }

    /// @notice Take `reward` from the distribution, who has approved it, and spread it over a day.
    /// @dev The original is sent the reward in a transaction before this one.
    function notifyRewardAmount(uint256 reward) external updateReward(address(0)) {
        if (msg.sender != REWARDS_DISTRIBUTION) revert AccumulatorShare_NotTheDistribution(msg.sender);
        REWARDS_TOKEN.safeTransferFrom(msg.sender, address(this), reward);
        if (block.timestamp >= periodFinish) {
            rewardRate = reward / REWARDS_DURATION;
        } else {
            uint256 leftover = (periodFinish - block.timestamp) * rewardRate;
            rewardRate = (reward + leftover) / REWARDS_DURATION;
        }
        uint256 limit = REWARDS_TOKEN.balanceOf(address(this)) / REWARDS_DURATION;
        if (rewardRate > limit) revert AccumulatorShare_RewardTooHigh(rewardRate, limit);
        lastUpdateTime = block.timestamp;
        periodFinish = block.timestamp + REWARDS_DURATION;
        emit RewardAdded(reward);
    }

    function getReward() external nonReentrant updateReward(msg.sender) {
        uint256 reward = rewards[msg.sender];
        if (reward == 0) return;
        rewards[msg.sender] = 0;
        emit RewardPaid(msg.sender, reward);
        REWARDS_TOKEN.safeTransfer(msg.sender, reward);
    }

    function lastTimeRewardApplicable() public view returns (uint256) {
        return block.timestamp < periodFinish ? block.timestamp : periodFinish;
    }

    function rewardPerToken() public view returns (uint256) {
        if (totalSupply() == 0) return rewardPerTokenStored;
        uint256 time = lastTimeRewardApplicable() - lastUpdateTime;
        return rewardPerTokenStored + time * rewardRate * 1e18 / totalSupply();
    }

    function earned(address account) public view returns (uint256) {
        uint256 unpaid = rewardPerToken() - userRewardPerTokenPaid[account];
        return balanceOf(account) * unpaid / 1e18 + rewards[account];
    }

    function _updateReward(address account) private {
        rewardPerTokenStored = rewardPerToken();
        lastUpdateTime = lastTimeRewardApplicable();
        if (account == address(0)) return;
        rewards[account] = earned(account);
        userRewardPerTokenPaid[account] = rewardPerTokenStored;
    }

    function _update(address from, address to, uint256 value) internal override {
        _updateReward(from);
        _updateReward(to);
        super._update(from, to, value);
    }
}
