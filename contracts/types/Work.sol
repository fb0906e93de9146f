// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ClusterId} from "./ClusterId.sol";
import {ModelId} from "./ModelId.sol";

/// @notice What income is for: what a cluster did with a model.
/// @param modelId A registered model, whose owner gets a royalty; 0 if nobody does.
struct Work {
    ClusterId clusterId;
    ModelId modelId;
}
