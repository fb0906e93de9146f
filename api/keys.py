"""Where a service's private key is, and which keys it must not use: keystores, remote signers."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from pydantic import SecretStr

from api.domain.signing import Signer
from api.errors import KeyRefused, host_of
from api.types import LOCAL_CHAIN_ID, Address

WELL_KNOWN_ACCOUNTS: Final = frozenset(
    {
        "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
        "0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
        "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC",
        "0x90F79bf6EB2c4f870365E785982E1f101E93b906",
        "0x15d34AAf54267DB7D7c367839AAf71A00a2C6A65",
        "0x9965507D1a55bcC2695C58ba16FB37d819B0A4dc",
        "0x976EA74026E726554dB657fA54763abd0C3a0aa9",
        "0x14dC79964da2C08b23698B3D3cc7Ca32193d9955",
        "0x23618e81E3f5cdF7f54C3d65f7FBc0aBf5B21E8f",
        "0xa0Ee7A142d267C1f36714E4a8F75612F20a79720",
        "0xBcd4042DE499D14e55001CcbB24a551F3b954096",
        "0x71bE63f3384f5fb98995898A86B02Fb2426c5788",
        "0xFABB0ac9d68B0B445fB7357272Ff202C5651694a",
        "0x1CBd3b2770909D4e10f157cABC84C7264073C9Ec",
        "0xdF3e18d64BC6A983f673Ab319CCaE4f1a57C7097",
        "0xcd3B766CCDd6AE721141F452C550Ca635964ce71",
        "0x2546BcD3c84621e976D8185a91A922aE77ECEc30",
        "0xbDA5747bFD65F08deb54cb465eB87D40e51B197E",
        "0xdD2FD4581271e230360230F9337D5c0430Bf44C0",
        "0x8626f6940E2eb28930eFb4CeF49B2d1F2C9C1199",
    }
)
"""Accounts of the mnemonic "test test … junk", which anvil, hardhat and ape print: everybody has
their keys.
"""


@dataclass(frozen=True, slots=True)
class RemoteKey:
    """A key that a remote signer has. The URL may hold a password, so no repr shows it."""

    url: str = field(repr=False)
    address: Address


def open_key(
    key: SecretStr | None, keystore: Path | None, password_file: Path | None, chain_id: int
) -> Signer:
    """The key to sign with on this chain: `key` is hex, a keystore has its password in a file.

    Raises:
        KeyRefused: None given, two given, a plain or well-known key off the local chain, or an
            unreadable keystore.
    """
    if (key is None) == (keystore is None):
        raise KeyRefused("give either a key (local chain only) or a keystore")
    if key is not None:
        if chain_id != LOCAL_CHAIN_ID:
            raise KeyRefused(
                f"a plain key is accepted on chain {LOCAL_CHAIN_ID} only, this is {chain_id}:"
                " use a keystore",
                value=chain_id,
                limit=LOCAL_CHAIN_ID,
            )
        signer = Signer.from_hex(key.get_secret_value())
    else:
        signer = _open_keystore(keystore, password_file)
    _refuse_well_known(signer.address, chain_id)
    return signer


def remote_key(url: str, address: Address, chain_id: int) -> RemoteKey:
    """The key of a remote signer, to sign with on this chain.

    Raises:
        KeyRefused: Off the local chain, plain http across a network, or a well-known account.
    """
    _require_private(url, chain_id)
    _refuse_well_known(address, chain_id)
    return RemoteKey(url, address)


def _open_keystore(keystore: Path | None, password_file: Path | None) -> Signer:
    if keystore is None or password_file is None:
        raise KeyRefused("a keystore needs a file with its password")
    try:
        content = keystore.read_text(encoding="utf-8")
        password = password_file.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise KeyRefused(f"the keystore or its password cannot be read: {error}") from None
    return Signer.from_keystore(content, password)


def _refuse_well_known(address: Address, chain_id: int) -> None:
    if chain_id != LOCAL_CHAIN_ID and address in WELL_KNOWN_ACCOUNTS:
        raise KeyRefused(
            f"{address} is a well-known test account: refused on chain {chain_id}",
            value=address,
            limit=LOCAL_CHAIN_ID,
        )


def _require_private(url: str, chain_id: int) -> None:
    """Whoever listens between here and the signer could have a say in what comes back, and sees
    the password; on this machine nobody is between, on the local chain nothing is at stake.
    """
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    if parts.scheme == "https" or chain_id == LOCAL_CHAIN_ID or host == "localhost":
        return
    try:
        is_loopback = ip_address(host).is_loopback
    except ValueError:
        is_loopback = False
    if not is_loopback:
        raise KeyRefused(
            f"the signer at {host_of(url)} is asked over plain http, which is accepted on chain"
            f" {LOCAL_CHAIN_ID} and on this machine only: use https",
            value=host_of(url),
        )
