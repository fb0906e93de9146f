"""A small contract with a place for every operator of mutation."""

from __future__ import annotations

TILL = """// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

interface Token {
    function balanceOf(address owner) external view returns (uint256);
    function pay(address to, uint256 amount) external returns (bool);
    function twice(uint256 amount) external view returns (uint256 doubled);
}

library Maths {
    function ceilDiv(uint256 a, uint256 b) internal pure returns (uint256) {
        return (a + b - 1) / b;
    }

    function shareDown(uint256 a) internal pure returns (uint256) {
        return a / 2;
    }

    function shareUp(uint256 a) internal pure returns (uint256) {
        return ceilDiv(a, 2);
    }
}

contract Till {
    error Till_TooMuch(uint256 amount, uint256 limit);
    event Paid(address indexed to, uint256 amount, uint256 total);

    struct Books {
        uint128 income;
        uint64 carry;
    }

    uint256 public constant PERIOD = 1 days;
    Token private immutable TOKEN;
    Books private books;
    bool private open = true;

    constructor(Token token) {
        TOKEN = token;
    }

    modifier whenOpen() {
        if (!open) revert Till_TooMuch(0, 0);
        _;
    }

    function pay(address to, uint256 amount) external whenOpen {
        if (amount > books.income) revert Till_TooMuch(amount, books.income);
        books.income -= uint128(amount);
        emit Paid(to, amount, books.income);
        TOKEN.pay(to, amount);
    }

    function split(uint256 amount, uint256 parts) external returns (uint256 part) {
        uint256 total = amount + books.carry;
        books.carry = uint64(total % parts);
        part = total / parts;
    }

    function clamped(uint256 a, uint256 b) external pure returns (uint256) {
        if (a > b) a = b;
        return a > 7 ? a - 7 : 0;
    }

    function word(uint256 raw, uint256 mask) external pure returns (uint256) {
        return raw >> 8 & mask | ~mask;
    }

    function wide(uint64 a, uint64 b) external pure returns (uint256) {
        return uint256(a) * b + type(uint96).max;
    }

    function rounded(uint256 a) external pure returns (uint256) {
        return Maths.shareDown(a) + Maths.ceilDiv(a, 3);
    }

    function count(uint256 to) external view returns (uint256 n) {
        uint256 step = TOKEN.twice(1);
        for (uint256 i; i < to; ++i) {
            if (i % 2 == 0 || !open) continue;
            n += step;
        }
        while (++n < to) {}
    }

    function close(address to) external {
        delete books.carry;
        open = false;
        TOKEN.pay(to, TOKEN.balanceOf(msg.sender));
    }

    function first(uint256 raw) external pure returns (uint256 found) {
        assembly ("memory-safe") {
            found := and(shr(4, raw), 15)
        }
    }
}
"""
