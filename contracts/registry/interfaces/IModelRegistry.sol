// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ModelId} from "../../types/ModelId.sol";

/// @notice A model as it is registered.
/// @param owner Who registered it; for ever.
/// @param payTo Whom its royalties are credited to from now on.
/// @param royaltyBps What it gets now of what is paid for its use, in 1/10,000.
/// @param nextRoyaltyBps What it gets from `nextFrom` on; that second may be past.
/// @param weightsHash What its weights hash to, in its owner's words; 0 if that is not said.
struct Model {
    address owner;
    address payTo;
    uint256 royaltyBps;
    uint256 nextRoyaltyBps;
    uint256 nextFrom;
    bytes32 weightsHash;
}

/// @title ModelRegistry
/// @notice Who owns a model, and what of the income from its use is due to them. Anyone registers; whoever collects income says
///         which registered model was used, if any, so that a model which nobody sells gets nothing.
///
///         *Id.* The hash of owner and name: a name can be registered by anybody and taken by nobody, and whoever knows
///         the owner can tell from the id what the model is called. So the owner stays for ever. Other weights are
///         another model, under another name.
///
///         *Royalty.* At most MAX_ROYALTY_BPS. It falls at once and rises ROYALTY_NOTICE_SECONDS after that was said.
///
/// @dev It holds no money and has no roles.
interface IModelRegistry {
    /// @param name As people know it; told here and nowhere else.
    event ModelRegistered(
        ModelId indexed modelId,
        address indexed owner,
        address payTo,
        uint256 royaltyBps,
        bytes32 weightsHash,
        string name
    );
    /// @notice From `fromAt` on the royalty is `royaltyBps`.
    event RoyaltySet(ModelId indexed modelId, uint256 previousBps, uint256 royaltyBps, uint256 fromAt);
    event PayToSet(ModelId indexed modelId, address indexed payTo);

    error ModelRegistry_ZeroAddress();
    error ModelRegistry_OverLimit(uint256 royaltyBps, uint256 limit);
    /// @notice The name has `length` bytes, or is not of printable ASCII.
    error ModelRegistry_InvalidName(uint256 length, uint256 limit);
    error ModelRegistry_Registered(ModelId modelId);
    error ModelRegistry_Unknown(ModelId modelId);
    error ModelRegistry_NotTheOwner(address caller, address owner);

    /// @notice Register a model of the caller.
    /// @param name 1 to MAX_NAME_BYTES characters of printable ASCII, so that no two look alike.
    /// @param payTo Whom its royalties are credited to.
    function register(string calldata name, address payTo, uint256 royaltyBps, bytes32 weightsHash)
        external
        returns (ModelId modelId);

    /// @notice Ask another royalty, in place of what was to come: at once if it is no more than now, else after the notice.
    ///         For the owner.
    function setRoyalty(ModelId modelId, uint256 royaltyBps) external returns (uint256 fromAt);

    /// @notice Have what comes from now on credited to somebody else. For the owner.
    function setPayTo(ModelId modelId, address payTo) external;

    /// @notice What a model of that owner and name is called by, registered or not.
    function modelIdOf(address owner, string calldata name) external pure returns (ModelId);

    /// @notice The model; refused if there is none.
    function model(ModelId modelId) external view returns (Model memory);

    /// @notice To whom how much of income from its use is due now; refused if there is no such model.
    function royaltyOf(ModelId modelId) external view returns (address payTo, uint256 royaltyBps);
}
