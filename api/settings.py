"""The only reader of the environment: one frozen class a service.

A service's settings are the variables with its prefix; what must be the same for all on one machine
(chain id, clock, RPC URL, oracle) may also be given once with the plain prefix `RACKSTREAM_`. Entry
points load them and hand values on.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final, Self, TypeVar
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    AliasChoices,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from api.domain.api_key import ApiKey
from api.domain.codec import parse_address
from api.domain.signing import Signer
from api.errors import BadApiKey, ConfigurationError, KeyRefused, Malformed
from api.keys import RemoteKey, open_key, remote_key
from api.types import (
    LOCAL_CHAIN_ID,
    MAX_BATCH_SAMPLES,
    MAX_SAMPLE_INTERVAL_MS,
    MIN_SAMPLE_INTERVAL_MS,
    UINT32_MAX,
    UINT64_MAX,
    Address,
)


class ClockKind(StrEnum):
    SYSTEM = "system"
    CHAIN = "chain"


class BillableKind(StrEnum):
    BUSY = "busy"
    NONE = "none"


class SourceKind(StrEnum):
    NVML = "nvml"
    DCGM = "dcgm"
    TRACE = "trace"
    SELF_MADE = "self-made"


def _shared(name: str, service_prefix: str) -> AliasChoices:
    """The service's own variable first, then the one shared by all services."""
    return AliasChoices(f"{service_prefix}{name}", f"RACKSTREAM_{name}")


def _nodes(value: Any) -> Any:
    parts = value.split(",") if isinstance(value, str) else value
    urls = tuple(part.strip() for part in parts if part.strip())
    for number, url in enumerate(urls, start=1):
        # Not shown: the path often is a key.
        if not url.startswith(("http://", "https://")):
            raise ValueError(f"number {number} is no http or https URL")
    return urls


def _dialect(value: str) -> str:
    if not value.startswith("postgresql+psycopg://"):
        raise ValueError("a database's address starts with postgresql+psycopg://")
    try:
        # Not shown: it holds a password.
        _ = urlsplit(value).port
    except ValueError:
        raise ValueError("a database's port is a number of 0 to 65,535") from None
    return value


NodeUrls = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_nodes)]
"""Separated by commas."""

DatabaseUrl = Annotated[str, AfterValidator(_dialect)]


class KeySettings(BaseSettings):
    """Where a service's private key comes from: a keystore with its password in a file or, locally
    only, plain hex.
    """

    key: SecretStr | None = None
    keystore: Path | None = None
    keystore_password_file: Path | None = None

    def signer(self, chain_id: int) -> Signer:
        """The key to sign with on this chain.

        Raises: KeyRefused: None given, two given, a plain or well-known key off the local chain, or
            an unreadable keystore.
        """
        return open_key(self.key, self.keystore, self.keystore_password_file, chain_id)


class ServiceSettings(KeySettings):
    """Of a service that follows a chain, sends transactions and keeps a database.

    Attributes:
        database_url: An SQLAlchemy address (`postgresql+psycopg://…`) of a database of this
            service's own; without it PostgreSQL is started from its wheel in `data_dir`.
        poll_ms: Pause between two looks at the chain. About a tenth of its block time.
        confirmations: Blocks on top of the one with a transaction before it counts as there.
            Without it 0 on the local chain and 12 on every other.
        max_fee_gwei: Most that is offered a gas; what is to be sent waits while the chain asks for
            more.
        log_level: debug, info, warning or error.
    """

    chain_id: int
    database_url: DatabaseUrl | None = None
    poll_ms: int = Field(500, ge=10, le=60_000)
    confirmations: int | None = Field(None, ge=0, le=1_000)
    max_fee_gwei: int = Field(200, ge=1, le=100_000)
    log_level: str = Field("info", pattern="^(debug|info|warning|error)$")

    @property
    def depth(self) -> int:
        """How many blocks have to be on top of one."""
        if self.confirmations is not None:
            return self.confirmations
        return 0 if self.chain_id == LOCAL_CHAIN_ID else 12

    @property
    def max_fee_per_gas(self) -> int:
        """In wei."""
        return self.max_fee_gwei * 10**9


_AGENT: Final = "RACKSTREAM_AGENT_"


class AgentSettings(KeySettings):
    """Of `python -m api.agent`, one process a node or rack; prefix RACKSTREAM_AGENT_.

    Attributes:
        key, keystore, keystore_password_file: The account registered for this agent's GPUs.
        reporters: Base URLs of all reporters, separated by commas.
        chain_id, oracle: Where the signatures are valid: the chain and its MetricsOracle.
        cluster_id: The cluster these GPUs are of.
        source: nvml, dcgm, trace or self-made.
        data_dir: Holds the outbox; must survive restarts and belong to this agent alone.
        clock, rpc_url: `chain` takes the time of the newest block of the node at `rpc_url`.
        sample_interval_ms: Of live sources; what the GPU set says.
        gpus: UUIDs of the GPUs of a live source that are registered to this agent, separated by
            commas; without it all that are found.
        dcgm_url: The dcgm-exporter's endpoint, with its path.
        trace: Path of the recorded trace (CSV or CSV.gz).
        anchor_ms: The instant on which the trace's first sample falls; without it the recorded
            times stand.
        loop: Each container's series repeats without end (a standing demonstration).
        partition, partitions: This agent speaks for the containers partition, partition +
            partitions, … of the trace's identities in order.
        idle_watts, peak_watts: Of the modelled energy of a trace: linear between.
        billable: `busy`: all busy time counts as billable; `none`: nothing does. Without it busy
            for a trace (a serving cluster's containers work for customers), none for live sources.
        max_batch_samples, flush_ms: A batch goes out with so many samples, after so many
            milliseconds, or when an epoch is over, whatever comes first.
        poll_ms: How often the clock is looked at.
        request_timeout_s: For one request to a reporter.
        retry_max_s: Longest wait between two tries.
        retention_hours: What a reporter did not take in this time is given up, so that a reporter
            that is dead for good cannot fill the disk.
        first_sequence: Where a new outbox starts to count. Only after a loss of the disk: above the
            last one used.
    """

    model_config = SettingsConfigDict(
        env_prefix=_AGENT, frozen=True, extra="ignore", populate_by_name=True
    )

    reporters: Annotated[tuple[str, ...], NoDecode] = Field(min_length=1, max_length=31)
    chain_id: int = Field(ge=1, le=UINT64_MAX, validation_alias=_shared("CHAIN_ID", _AGENT))
    oracle: Address = Field(validation_alias=_shared("ORACLE", _AGENT))
    cluster_id: int = Field(ge=1, le=UINT32_MAX)
    source: SourceKind
    data_dir: Path
    clock: ClockKind = Field(ClockKind.SYSTEM, validation_alias=_shared("CLOCK", _AGENT))
    rpc_url: str | None = Field(None, validation_alias=_shared("RPC_URL", _AGENT))
    sample_interval_ms: int = Field(60_000, ge=MIN_SAMPLE_INTERVAL_MS, le=MAX_SAMPLE_INTERVAL_MS)
    gpus: Annotated[tuple[str, ...], NoDecode] = ()
    dcgm_url: str = "http://127.0.0.1:9400/metrics"
    trace: Path | None = None
    anchor_ms: int | None = Field(None, ge=0, le=2**53 - 1)
    loop: bool = False
    partition: int = Field(0, ge=0)
    partitions: int = Field(1, ge=1, le=100_000)
    idle_watts: int = Field(100, ge=0, le=100_000)
    peak_watts: int = Field(700, ge=1, le=100_000)
    billable: BillableKind | None = None
    max_batch_samples: int = Field(5_000, ge=1, le=MAX_BATCH_SAMPLES)
    flush_ms: int = Field(1_000, ge=0, le=60_000)
    poll_ms: int = Field(100, ge=10, le=60_000)
    request_timeout_s: float = Field(15.0, gt=0, le=300)
    retry_max_s: float = Field(30.0, gt=0, le=3_600)
    retention_hours: int = Field(168, ge=24, le=24 * 365)
    first_sequence: int = Field(1, ge=1, le=2**53 - 1)

    @field_validator("reporters", "gpus", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        parts = value.split(",") if isinstance(value, str) else value
        return tuple(str(part).strip().rstrip("/") for part in parts if str(part).strip())

    @field_validator("reporters")
    @classmethod
    def _urls(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for url in value:
            if not url.startswith(("http://", "https://")):
                raise ValueError(f"{url} is no http or https URL")
        if len(set(value)) < len(value):
            raise ValueError("a reporter is there twice")
        return value

    @field_validator("oracle", mode="before")
    @classmethod
    def _address(cls, value: Any) -> Any:
        try:
            return parse_address(value, "oracle")
        except Malformed as error:
            raise ValueError(error.message) from None

    @model_validator(mode="after")
    def _fitting(self) -> Self:
        if self.clock is ClockKind.CHAIN and not self.rpc_url:
            raise ValueError("the chain's clock needs an RPC URL")
        if self.clock is ClockKind.CHAIN and "," in (self.rpc_url or ""):
            raise ValueError("the chain's clock takes one RPC URL: give the agent one of its own")
        if self.source is SourceKind.TRACE and self.trace is None:
            raise ValueError("the trace source needs a trace")
        if self.partition >= self.partitions:
            raise ValueError(
                f"partition {self.partition} is not below partitions {self.partitions}"
            )
        if self.idle_watts > self.peak_watts:
            raise ValueError(f"idle {self.idle_watts} W is above peak {self.peak_watts} W")
        return self


_ORACLE: Final = "RACKSTREAM_ORACLE_"


class OracleSettings(ServiceSettings):
    """Of `python -m api.oracle`, one process a reporter; prefix RACKSTREAM_ORACLE_.

    Attributes:
        key, keystore, keystore_password_file: The account registered as reporter, which signs the
            reports.
        signer_url, signer_address: Instead of a key: the remote signer that has it (JSON-RPC over
            HTTP; a user and a password may stand in the URL) and that account.
        transmitter_key, transmitter_keystore, transmitter_keystore_password_file: The account that
            sends transactions and pays for them. Without any of these it is the one that signs the
            reports.
        transmitter_signer_address, transmitter_signer_url: The same with a remote signer: at
            `signer_url` if it has no URL of its own.
        signer_timeout_s: For one request to a remote signer. Less than the peers' peer_timeout_s,
            who wait for the signature.
        chain_id: The chain.
        rpc_urls: Nodes of it (RPC_URL), separated by commas: the first that works is asked.
        deployments_dir: Holds `<chain-id>.json`, which says where the contracts are.
        data_dir: Of the started PostgreSQL; belongs to this reporter alone.
        host, port: Where to listen; port 0 takes a free one and logs it.
        peers: The other reporters, `0xAddress=http://host:port` separated by commas.
        clock: `chain` takes the time of the newest block of the node.
        peer_timeout_s: For one request to a peer.
    """

    model_config = SettingsConfigDict(
        env_prefix=_ORACLE, frozen=True, extra="ignore", populate_by_name=True
    )

    signer_url: SecretStr | None = None
    signer_address: Address | None = None
    transmitter_key: SecretStr | None = None
    transmitter_keystore: Path | None = None
    transmitter_keystore_password_file: Path | None = None
    transmitter_signer_url: SecretStr | None = None
    transmitter_signer_address: Address | None = None
    signer_timeout_s: float = Field(4.0, gt=0, le=60)
    chain_id: int = Field(ge=1, le=UINT64_MAX, validation_alias=_shared("CHAIN_ID", _ORACLE))
    rpc_urls: NodeUrls = Field(
        min_length=1, max_length=8, validation_alias=_shared("RPC_URL", _ORACLE)
    )
    deployments_dir: Path = Field(
        Path("deployments"), validation_alias=_shared("DEPLOYMENTS_DIR", _ORACLE)
    )
    data_dir: Path = Path("var/oracle")
    host: str = "127.0.0.1"
    port: int = Field(8_080, ge=0, le=65_535)
    peers: Annotated[dict[Address, str], NoDecode] = Field(default_factory=dict, max_length=31)
    clock: ClockKind = Field(ClockKind.SYSTEM, validation_alias=_shared("CLOCK", _ORACLE))
    peer_timeout_s: float = Field(10.0, gt=0, le=300)

    def signing_key(self) -> Signer | RemoteKey:
        """The key that signs reports.

        Raises: KeyRefused: As `signer`, or a remote signer beside a key, without an account, or
            over plain http across a network.
        """
        if self.signer_url is None and self.signer_address is None:
            if self.key is None and self.keystore is None:
                raise KeyRefused(
                    "give either a key (local chain only), a keystore or a remote signer's URL"
                )
            return self.signer(self.chain_id)
        return self._remote_key(
            "SIGNER", self.signer_url, self.signer_address, self.key or self.keystore
        )

    def transmitting_key(self) -> Signer | RemoteKey | None:
        """The key that sends transactions; None if it is the one that signs reports.

        Raises: KeyRefused: As `signing_key`.
        """
        key, keystore = self.transmitter_key, self.transmitter_keystore
        password_file = self.transmitter_keystore_password_file
        url, address = self.transmitter_signer_url, self.transmitter_signer_address
        if url is not None or address is not None:
            return self._remote_key(
                "TRANSMITTER_SIGNER", url or self.signer_url, address, key or keystore
            )
        if key is None and keystore is None and password_file is None:
            return None
        return open_key(key, keystore, password_file, self.chain_id)

    def _remote_key(
        self, name: str, url: SecretStr | None, address: Address | None, other: object
    ) -> RemoteKey:
        variable = f"RACKSTREAM_ORACLE_{name}"
        if url is None or address is None:
            raise KeyRefused(f"a remote signer needs {variable}_URL and {variable}_ADDRESS")
        if other is not None:
            raise KeyRefused(f"give either a key, a keystore or {variable}_URL")
        return remote_key(url.get_secret_value(), address, self.chain_id)

    @field_validator("signer_url", "transmitter_signer_url")
    @classmethod
    def _signers(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None:
            return None
        try:
            text = value.get_secret_value()
            parts = urlsplit(text)
            is_url = (
                parts.scheme in ("http", "https") and bool(parts.hostname) and text.isprintable()
            )
            _ = parts.port
        except ValueError:
            is_url = False
        if not is_url:
            # Not shown: it may hold a password.
            raise ValueError("not an http or https URL")
        return value

    @field_validator("signer_address", "transmitter_signer_address", mode="before")
    @classmethod
    def _accounts(cls, value: Any) -> Any:
        try:
            return None if value is None else parse_address(value, "address")
        except Malformed as error:
            raise ValueError(error.message) from None

    @field_validator("peers", mode="before")
    @classmethod
    def _pairs(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        pairs: dict[Address, str] = {}
        for part in filter(None, map(str.strip, value.split(","))):
            account, separator, url = part.partition("=")
            if not separator or not url.startswith(("http://", "https://")):
                raise ValueError(f"{part} is not 0xAddress=http://host:port")
            try:
                address = parse_address(account.strip(), "peers")
            except Malformed as error:
                raise ValueError(error.message) from None
            if address in pairs:
                raise ValueError(f"{address} is there twice")
            pairs[address] = url.rstrip("/")
        return pairs


_GATEWAY: Final = "RACKSTREAM_GATEWAY_"


class GatewaySettings(ServiceSettings):
    """Of `python -m api.gateway`, which sells inference; prefix RACKSTREAM_GATEWAY_.

    Attributes:
        key, keystore, keystore_password_file: The account that vouchers name: it signs receipts,
            collects and pays for that.
        chain_id: The chain.
        rpc_urls: Nodes of it (RPC_URL), separated by commas: the first that works is asked.
        deployments_dir: Holds `<chain-id>.json`, which says where the contracts are.
        fleet: The file with quotes and servers; see `api/gateway/fleet.py`.
        data_dir: Of the started PostgreSQL; belongs to this gateway alone.
        host, port: Where to listen; port 0 takes a free one and logs it.
        clock: `chain` takes the time of the newest block of the node.
        collect_s: Between two collections.
        collect_least_usd6: What must be due for one, in 10⁻⁶ dollars: at least its gas is worth.
        credit_usd6: Most that a payer may owe beyond what is locked, in 10⁻⁶ dollars: another
            gateway could take its balance before this one. At half of it is collected.
        lock_above_usd6: Most that one channel may owe so, in 10⁻⁶ dollars: for more a lock is asked
            for, whose transaction this gateway pays. Less than the credit; 0: none is asked for.
        default_max_tokens: Most tokens of an answer whose request sets no limit.
        payees: Accounts besides this gateway's clusters to which payments of x402 are settled for
            other servers, which costs this gateway the gas; separated by commas.
        least_facilitated_usd6: Least that a facilitated payment must be, in 10⁻⁶ dollars.
        refund_day_usd6: Most that is given back within a day from the gateway's own dollars, for
            payments of x402 that somebody else has brought to the stablecoin, in 10⁻⁶ dollars. What
            is owed beyond that waits; what alone is more waits for a higher limit.
        connect_s, first_byte_s, idle_s: How long a server may take to be reached, to begin an
            answer, and between two of its pieces.
        patience_s: How long a customer may take to send a request, or to read what waits for it.
        unpaid_per_second: How many requests that are refused, or otherwise nobody pays for, an
            address may send a second, ten times as many at once; 0: any number.
    """

    model_config = SettingsConfigDict(
        env_prefix=_GATEWAY, frozen=True, extra="ignore", populate_by_name=True
    )

    chain_id: int = Field(ge=1, le=UINT64_MAX, validation_alias=_shared("CHAIN_ID", _GATEWAY))
    rpc_urls: NodeUrls = Field(
        min_length=1, max_length=8, validation_alias=_shared("RPC_URL", _GATEWAY)
    )
    deployments_dir: Path = Field(
        Path("deployments"), validation_alias=_shared("DEPLOYMENTS_DIR", _GATEWAY)
    )
    fleet: Path
    data_dir: Path = Path("var/gateway")
    host: str = "127.0.0.1"
    port: int = Field(8_000, ge=0, le=65_535)
    clock: ClockKind = Field(ClockKind.SYSTEM, validation_alias=_shared("CLOCK", _GATEWAY))
    collect_s: float = Field(30.0, gt=0, le=86_400)
    collect_least_usd6: int = Field(1, ge=1, le=10**12)
    credit_usd6: int = Field(10_000_000, ge=1, le=10**15)
    lock_above_usd6: int = Field(0, ge=0, le=10**15)
    default_max_tokens: int = Field(1_024, ge=1, le=131_072)
    payees: Annotated[tuple[Address, ...], NoDecode] = Field(default=(), max_length=1_000)
    least_facilitated_usd6: int = Field(10_000, ge=1, le=10**12)
    refund_day_usd6: int = Field(10_000_000, ge=0, le=10**15)
    connect_s: float = Field(3.0, gt=0, le=60)
    first_byte_s: float = Field(120.0, gt=0, le=3_600)
    idle_s: float = Field(60.0, gt=0, le=3_600)
    patience_s: float = Field(30.0, gt=0, le=600)
    unpaid_per_second: int = Field(50, ge=0, le=1_000_000)

    @model_validator(mode="after")
    def _lock_before_credit_ends(self) -> Self:
        if self.lock_above_usd6 >= self.credit_usd6:
            raise ValueError("lock_above_usd6 is not less than credit_usd6")
        return self

    @field_validator("payees", mode="before")
    @classmethod
    def _accounts(cls, value: Any) -> Any:
        parts = value.split(",") if isinstance(value, str) else value
        try:
            return tuple(parse_address(part.strip(), "payees") for part in parts if part.strip())
        except Malformed as error:
            raise ValueError(error.message) from None


_NGRAM: Final = "RACKSTREAM_NGRAM_"


class NgramSettings(BaseSettings):
    """Of `python -m api.ngram`, a small language model; prefix RACKSTREAM_NGRAM_.

    Attributes:
        host, port: Where to listen; port 0 takes a free one and logs it.
        corpus: What it learns from: a file, or a folder's documents. Without it Rackstream's own.
        tokens_per_second: How fast each answer is given, like that of a GPU; 0 as fast as possible.
        context_tokens: Most that a prompt and its answer have together.
        seed: Of answers whose request names none: the same requests in the same order get the same
            texts.
        log_level: debug, info, warning or error.
    """

    model_config = SettingsConfigDict(env_prefix=_NGRAM, frozen=True, extra="ignore")

    host: str = "127.0.0.1"
    port: int = Field(8_090, ge=0, le=65_535)
    corpus: Path = Path(__file__).resolve().parents[1]
    tokens_per_second: int = Field(0, ge=0, le=1_000_000)
    context_tokens: int = Field(16_384, ge=64, le=1_000_000)
    seed: int = Field(1, ge=0, le=UINT64_MAX)
    log_level: str = Field("info", pattern="^(debug|info|warning|error)$")


_CLIENT: Final = "RACKSTREAM_CLIENT_"


class ClientSettings(KeySettings):
    """Of `python -m api.client`, a customer of a gateway; prefix RACKSTREAM_CLIENT_.

    Attributes:
        key, keystore, keystore_password_file: The payer's own key, or a session key of it.
        payer: Whose balance a session key spends; without it the key's own.
        api_key: Instead of these for `chat`: a session key and its payer as an API key. It is not
            sent, it signs.
        gateway: The account that collects for the gateway.
        chain_id: The chain.
        rpc_url: A node of it; `chat` needs none.
        deployments_dir: Holds `<chain-id>.json`, which says where the contracts are.
        timeout_s: For an answer.
    """

    model_config = SettingsConfigDict(
        env_prefix=_CLIENT, frozen=True, extra="ignore", populate_by_name=True
    )

    payer: Address | None = None
    api_key: SecretStr | None = None
    gateway: Address
    chain_id: int = Field(ge=1, le=UINT64_MAX, validation_alias=_shared("CHAIN_ID", _CLIENT))
    rpc_url: str = Field("http://127.0.0.1:8545", validation_alias=_shared("RPC_URL", _CLIENT))
    deployments_dir: Path = Field(
        Path("deployments"), validation_alias=_shared("DEPLOYMENTS_DIR", _CLIENT)
    )
    timeout_s: float = Field(300.0, gt=0, le=3_600)

    def channel(self) -> tuple[Signer, Address]:
        """The key that signs vouchers and whose money they spend.

        Raises: KeyRefused: As `signer`, or an API key that is none or beside another key.
        """
        if self.api_key is None:
            signer = self.signer(self.chain_id)
            return signer, self.payer or signer.address
        if self.key is not None or self.keystore is not None or self.payer is not None:
            raise KeyRefused("give either an API key or a key and its payer")
        try:
            known = ApiKey.parse(self.api_key.get_secret_value())
        except BadApiKey as error:
            raise KeyRefused(error.message) from None
        return known.signer, known.payer

    @field_validator("gateway", "payer", mode="before")
    @classmethod
    def _accounts(cls, value: Any) -> Any:
        try:
            return None if value is None else parse_address(value, "address")
        except Malformed as error:
            raise ValueError(error.message) from None


_Settings = TypeVar("_Settings", bound=BaseSettings)


def load(settings: type[_Settings]) -> _Settings:
    """The settings of a service from the environment.

    Raises: ConfigurationError: Listing every variable that is missing or wrong; values are not
        shown, some are secret.
    """
    try:
        return settings()
    except ValidationError as error:
        prefix = str(settings.model_config.get("env_prefix", ""))
        problems = []
        for one in error.errors(include_url=False, include_input=False, include_context=False):
            name = ".".join(map(str, one["loc"]))
            variable = name if name.startswith("RACKSTREAM_") else f"{prefix}{name}".upper()
            problems.append(f"{variable}: {one['msg']}" if one["loc"] else one["msg"])
        raise ConfigurationError("; ".join(problems), value=problems) from None
