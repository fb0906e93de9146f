// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IncomeWord, SharesWord} from "../../contracts/share/Holding.sol";
import {HoldingTheorems} from "./HoldingTheorems.sol";
import {OpenStream} from "./OpenStream.sol";
import {SettleTheorems} from "./SettleTheorems.sol";
import {StreamTheorems} from "./StreamTheorems.sol";

/// @notice Every change of a word carries into the field above, and what is held is taken from the balance unseen.
/// @custom:refutes all
contract LeakingHolding is HoldingTheorems {
    function _stored(SharesWord word) internal pure override returns (SharesWord) {
        unchecked {
            return SharesWord.wrap(SharesWord.unwrap(word) + (1 << 64) + (1 << 128));
        }
    }

    function _stored(IncomeWord word) internal pure override returns (IncomeWord) {
        return IncomeWord.wrap(IncomeWord.unwrap(word) ^ 1 << 248);
    }

    function _available(SharesWord word) internal pure override returns (uint256) {
        unchecked {
            return word.balance() - word.encumbered() - word.frozen();
        }
    }
}

/// @notice Each settlement and each claim rounds up.
/// @custom:refutes check_settled__to_a_later_index__adds_balance_times_growth check_settled__twice__is_settled_once
///                 check_settled__of_two_holders__adds_growth_times_their_shares
///                 check_transfer__of_any_amount__changes_no_total_later check_transfer__to_oneself__is_settling
///                 check_claim__of_whole_units__leaves_the_income_and_a_fraction
contract GenerousSettling is SettleTheorems {
    function _settled(IncomeWord income, uint256 balance, uint256 index)
        internal
        pure
        override
        returns (IncomeWord)
    {
        return super._settled(income, balance, index).plusEarned(1);
    }

    function _wholeUnits(IncomeWord income) internal pure override returns (uint256) {
        return super._wholeUnits(income) + 1;
    }
}

/// @notice The balances move before both settle.
/// @custom:refutes check_transfer__of_any_amount__moves_nobodys_income
contract HastyTransfer is SettleTheorems {
    function _moved(Holder calldata sender, Holder calldata receiver, uint256 amount, uint256 index)
        internal
        pure
        override
        returns (SharesWord[2] memory shares, IncomeWord[2] memory incomes)
    {
        shares[0] = SharesWord.wrap(sender.balance).minusBalance(amount);
        shares[1] = SharesWord.wrap(receiver.balance).plusBalance(amount);
        incomes[0] = _settled(_income(sender), shares[0].balance(), index);
        incomes[1] = _settled(_income(receiver), shares[1].balance(), index);
    }
}

/// @notice What the two divisions leave is dropped.
contract LossyStream is OpenStream {
    function setSupply(uint256 supply) public override {
        super.setSupply(supply);
        _index.remainder = 0;
    }

    function fund(uint256 amountUsd6) public override returns (uint256 endsAt) {
        endsAt = super.fund(amountUsd6);
        _flow.fundingRemainder = 0;
    }
}

/// @notice The theorems on a stream that drops what its divisions leave.
/// @custom:refutes all
contract LossyStreaming is StreamTheorems {
    function _newStream() internal override returns (OpenStream) {
        return new LossyStream();
    }
}
