// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ModelId} from "../types/ModelId.sol";
import {IModelRegistry, Model} from "./interfaces/IModelRegistry.sol";

/// @notice See IModelRegistry.
contract ModelRegistry is IModelRegistry {
    /// @notice Most that a model may ask, in 1/10,000 of what is paid for its use.
    uint256 public constant MAX_ROYALTY_BPS = 1_000;

    /// @notice How long a rise is public before it acts, in seconds.
    uint256 public constant ROYALTY_NOTICE_SECONDS = 7 days;

    uint256 public constant MAX_NAME_BYTES = 128;

    /// @dev One slot: all that a collection reads.
    struct Royalty {
        address payTo;
        uint16 royaltyBps;
        uint16 nextRoyaltyBps;
        uint40 nextFrom;
    }

    struct Registration {
        Royalty royalty;
        address owner;
        bytes32 weightsHash;
    }

    mapping(ModelId modelId => Registration) private _models;

    modifier onlyOwner(ModelId modelId) {
        address owner = _registered(modelId).owner;
        if (msg.sender != owner) revert ModelRegistry_NotTheOwner(msg.sender, owner);
        _;
    }

    /// @inheritdoc IModelRegistry
    function register(string calldata name, address payTo, uint256 royaltyBps, bytes32 weightsHash)
        external
        returns (ModelId modelId)
    {
        _checkName(bytes(name));
        if (payTo == address(0)) revert ModelRegistry_ZeroAddress();
        _checkRoyalty(royaltyBps);
        modelId = modelIdOf(msg.sender, name);
        Registration storage entry = _models[modelId];
        if (entry.owner != address(0)) revert ModelRegistry_Registered(modelId);
        entry.royalty = Royalty(payTo, uint16(royaltyBps), uint16(royaltyBps), 0);
        entry.owner = msg.sender;
        entry.weightsHash = weightsHash;
        emit ModelRegistered(modelId, msg.sender, payTo, royaltyBps, weightsHash, name);
    }

    function _checkName(bytes calldata name) private pure {
        bool isValid = name.length != 0 && name.length <= MAX_NAME_BYTES;
        for (uint256 i; isValid && i < name.length; ++i) {
            isValid = name[i] >= 0x20 && name[i] < 0x7f;
        }
        if (!isValid) revert ModelRegistry_InvalidName(name.length, MAX_NAME_BYTES);
    }

    function _checkRoyalty(uint256 royaltyBps) private pure {
        if (royaltyBps > MAX_ROYALTY_BPS) revert ModelRegistry_OverLimit(royaltyBps, MAX_ROYALTY_BPS);
    }

    /// @inheritdoc IModelRegistry
    function setRoyalty(ModelId modelId, uint256 royaltyBps)
        external
        onlyOwner(modelId)
        returns (uint256 fromAt)
    {
        _checkRoyalty(royaltyBps);
        Royalty storage royalty = _models[modelId].royalty;
        uint256 current = _present(royalty);
        fromAt = royaltyBps <= current ? block.timestamp : block.timestamp + ROYALTY_NOTICE_SECONDS;
        royalty.royaltyBps = uint16(current);
        royalty.nextRoyaltyBps = uint16(royaltyBps);
        royalty.nextFrom = uint40(fromAt);
        emit RoyaltySet(modelId, current, royaltyBps, fromAt);
    }

    /// @inheritdoc IModelRegistry
    function setPayTo(ModelId modelId, address payTo) external onlyOwner(modelId) {
        if (payTo == address(0)) revert ModelRegistry_ZeroAddress();
        _models[modelId].royalty.payTo = payTo;
        emit PayToSet(modelId, payTo);
    }

    /// @inheritdoc IModelRegistry
    function modelIdOf(address owner, string calldata name) public pure returns (ModelId) {
        return ModelId.wrap(keccak256(abi.encode(owner, name)));
    }

    /// @inheritdoc IModelRegistry
    function model(ModelId modelId) external view returns (Model memory) {
        Registration storage entry = _registered(modelId);
        Royalty storage royalty = entry.royalty;
        return Model(
            entry.owner,
            royalty.payTo,
            _present(royalty),
            royalty.nextRoyaltyBps,
            royalty.nextFrom,
            entry.weightsHash
        );
    }

    /// @inheritdoc IModelRegistry
    function royaltyOf(ModelId modelId) external view returns (address payTo, uint256 royaltyBps) {
        Royalty storage royalty = _models[modelId].royalty;
        payTo = royalty.payTo;
        if (payTo == address(0)) revert ModelRegistry_Unknown(modelId);
        royaltyBps = _present(royalty);
    }

    function _registered(ModelId modelId) private view returns (Registration storage entry) {
        entry = _models[modelId];
        if (entry.owner == address(0)) revert ModelRegistry_Unknown(modelId);
    }

    function _present(Royalty storage royalty) private view returns (uint256) {
        return block.timestamp < royalty.nextFrom ? royalty.royaltyBps : royalty.nextRoyaltyBps;
    }
}
