// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice Identifies one registered model: the hash of who owns it and what it is called. 0 is no model.
type ModelId is bytes32;

using {equal as ==, differs as !=} for ModelId global;

/// @dev Of work for which nobody is owed a royalty.
ModelId constant NO_MODEL = ModelId.wrap(0);

function equal(ModelId a, ModelId b) pure returns (bool) {
    return ModelId.unwrap(a) == ModelId.unwrap(b);
}

function differs(ModelId a, ModelId b) pure returns (bool) {
    return ModelId.unwrap(a) != ModelId.unwrap(b);
}
