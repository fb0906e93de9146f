"""Everything that Rackstream's Python raises on purpose.

    RackstreamError
    ├── InvalidInput               a value breaks a rule; the same request will fail again
    │   ├── Malformed              not of its format (hex, address, number, JSON)
    │   ├── OutOfRange             a number outside its range
    │   ├── Oversized              more than the limit allows
    │   ├── Duplicated             twice, where once is allowed
    │   ├── Incoherent             values that contradict each other
    │   ├── InTheFuture            later than the clock allows
    │   ├── Backdated              earlier than what is already settled
    │   ├── ContextTooLong         more tokens than a language model takes
    │   ├── RequestNotSupported    asks a language model for what it does not do
    │   └── TraceRefused           a recorded trace, with the row and the rule
    ├── NotAuthorised              well formed, and not allowed
    │   ├── BadSignature           no valid signature, or not by who it says
    │   ├── BadApiKey              not an API key, or miscopied
    │   ├── SpendLimitReached      more than its payer lets a client spend
    │   ├── OfferRefused           a gateway asks for what was not agreed
    │   └── WrongAgent             another agent is registered for this GPU
    ├── PaymentRefused             what was brought does not pay for what was asked
    ├── UpstreamFault              an inference server answered what makes no sense
    ├── NotFound                   nothing is known under this id (yet)
    │   ├── UnknownModel
    │   ├── UnknownCluster
    │   ├── UnknownGpu
    │   └── ReportNotFound         no report of this epoch is on chain
    ├── Conflict                   contradicts what was accepted before
    │   ├── SequenceReused         another batch has this sequence number
    │   └── ProposalRefused        a reporter does not sign what another one proposed
    ├── ConfigurationError         a setting is missing or contradictory; the process cannot start
    │   ├── KeyRefused             a key that must not be used here
    │   ├── WrongChain             the node serves another chain than configured
    │   ├── DeploymentMissing      a contract's address is not on record
    │   ├── DeploymentMalformed    the record of a deployment cannot be used
    │   ├── DatabaseBusy           another process works on this database
    │   ├── DatabaseOfAnother      the database belongs to another reporter or chain
    │   └── PortTaken              another process listens on this port
    ├── ChainError                 the chain said no
    │   ├── ContractReverted       a call or transaction reverted, with the contract's own error
    │   ├── NodeRefused            the node answered with a JSON-RPC error
    │   └── UndecodableAnswer      an answer that the ABI cannot explain
    └── Unavailable                may pass by itself; try again later
        ├── ChainUnavailable       the node cannot be reached
        ├── ChainTimeout           the node did not answer in time
        ├── ChainBehind            the node is too many blocks behind others
        ├── StoreUnavailable       the database cannot be reached
        ├── Busy                   something costly is being done for somebody else
        ├── UpstreamUnavailable    no inference server answers, or none has room
        ├── PeerUnavailable        another reporter does not answer
        ├── GatewayUnavailable     a gateway does not tell how a payer stands with it
        ├── SignerUnavailable      the remote signer cannot be reached or is too slow
        ├── SignerRefused          the remote signer does not sign this, or has no such account
        ├── SignerUntrue           the remote signer signed something else, or as somebody else
        ├── GpuSetUnknown          nobody has handed in the cluster's manifest yet
        ├── NotStarted             the service has not finished its start
        ├── SourceUnavailable      a GPU source gives no readings
        └── OutboxUnavailable      the disk does not take a batch

Each carries a stable `code` for programs, the offending `value` and, where there is one, the
`limit` it broke. The message says all of it in words. Services map the first level to HTTP status
codes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar
from urllib.parse import urlsplit


def host_of(url: str) -> str:
    """What may be shown of a URL: neither a password nor the path, which often is a key."""
    return urlsplit(url).netloc.rpartition("@")[2]


class RackstreamError(Exception):
    """The root.

    `value` is what offended, `limit` what it was held against (None where that makes no sense).
    """

    code: ClassVar[str] = "error"

    def __init__(self, message: str, *, value: object = None, limit: object = None) -> None:
        super().__init__(message)
        self.message = message
        self.value = value
        self.limit = limit


class InvalidInput(RackstreamError):
    code = "invalid-input"


class Malformed(InvalidInput):
    code = "malformed"

    def __init__(self, field: str, value: object, expected: str) -> None:
        shown = repr(value)
        if len(shown) > 100:
            shown = f"{shown[:97]}..."
        super().__init__(f"{field} is {shown}, expected {expected}", value=value, limit=expected)
        self.field = field


class OutOfRange(InvalidInput):
    code = "out-of-range"

    def __init__(self, field: str, value: int, minimum: int, maximum: int) -> None:
        super().__init__(
            f"{field} is {value}, allowed is {minimum} to {maximum}",
            value=value,
            limit=[minimum, maximum],
        )
        self.field = field


class Oversized(InvalidInput):
    code = "oversized"

    def __init__(self, what: str, size: int, limit: int) -> None:
        super().__init__(f"{size} {what}, at most {limit} are allowed", value=size, limit=limit)


class Duplicated(InvalidInput):
    code = "duplicated"

    def __init__(self, what: str, value: object) -> None:
        super().__init__(f"{what} {value} is there twice", value=value)


class Incoherent(InvalidInput):
    code = "incoherent"


class InTheFuture(InvalidInput):
    code = "in-the-future"

    def __init__(self, field: str, at_ms: int, latest_ms: int) -> None:
        super().__init__(
            f"{field} is {at_ms}, later than {latest_ms} by the clock", value=at_ms, limit=latest_ms
        )


class Backdated(InvalidInput):
    code = "backdated"

    def __init__(self, field: str, at_ms: int, earliest_ms: int) -> None:
        super().__init__(
            f"{field} is {at_ms}, before {earliest_ms}, which is settled",
            value=at_ms,
            limit=earliest_ms,
        )


class ContextTooLong(InvalidInput):
    """Named as OpenAI's clients know it."""

    code = "context_length_exceeded"

    def __init__(self, prompt_tokens: int, answer_tokens: int, limit: int) -> None:
        total = prompt_tokens + answer_tokens
        super().__init__(
            f"the prompt has {prompt_tokens} tokens and {answer_tokens} are asked for: {total}"
            f" together, at most {limit} are allowed",
            value=total,
            limit=limit,
        )


class RequestNotSupported(InvalidInput):
    code = "unsupported_parameter"

    def __init__(self, field: str) -> None:
        super().__init__(f"{field} asks for what this model does not do", value=field)
        self.field = field


class TraceRefused(InvalidInput):
    """`row` counts the file's lines from 1, header included; None where no one row is to blame."""

    code = "trace-refused"

    def __init__(
        self, rule: str, *, row: int | None = None, value: object = None, limit: object = None
    ) -> None:
        where = "trace" if row is None else f"row {row}"
        super().__init__(f"{where}: {rule}", value=value, limit=limit)
        self.row = row
        self.rule = rule


class NotAuthorised(RackstreamError):
    code = "not-authorised"


class BadSignature(NotAuthorised):
    code = "bad-signature"


class BadApiKey(NotAuthorised):
    """The message says what is wrong with the key; no attribute shows it."""

    code = "bad-api-key"


class SpendLimitReached(NotAuthorised):
    """In 10⁻⁶ dollars. Nothing was promised for what needed more."""

    code = "spend-limit-reached"

    def __init__(self, needed_usd6: int, limit_usd6: int) -> None:
        super().__init__(
            f"{needed_usd6} would have to be promised, at most {limit_usd6} may be (10⁻⁶ dollars)",
            value=needed_usd6,
            limit=limit_usd6,
        )


class OfferRefused(NotAuthorised):
    code = "offer-refused"


class WrongAgent(NotAuthorised):
    code = "wrong-agent"

    def __init__(self, gpu: str, agent: str, registered: str) -> None:
        super().__init__(
            f"GPU {gpu} is registered to agent {registered}, not to {agent}",
            value={"gpu": gpu, "agent": agent},
            limit=registered,
        )


class PaymentRefused(RackstreamError):
    """`reason` is a word of x402 for programs."""

    code = "payment-refused"

    def __init__(
        self, reason: str, message: str, *, value: object = None, limit: object = None
    ) -> None:
        super().__init__(message, value=value, limit=limit)
        self.reason = reason


class UpstreamFault(RackstreamError):
    code = "upstream-fault"


class NotFound(RackstreamError):
    code = "not-found"


class UnknownModel(NotFound):
    code = "unknown-model"

    def __init__(self, model: str) -> None:
        super().__init__(f"no cluster here serves {model!r}", value=model)


class UnknownCluster(NotFound):
    code = "unknown-cluster"

    def __init__(self, cluster_id: int) -> None:
        super().__init__(f"cluster {cluster_id} is not known", value=cluster_id)


class UnknownGpu(NotFound):
    code = "unknown-gpu"

    def __init__(self, gpu: str, cluster_id: int) -> None:
        super().__init__(
            f"GPU {gpu} is not in the registered set of cluster {cluster_id}",
            value=gpu,
            limit=cluster_id,
        )


class ReportNotFound(NotFound):
    code = "report-not-found"

    def __init__(self, cluster_id: int, epoch: int) -> None:
        super().__init__(f"no report of cluster {cluster_id} for epoch {epoch}", value=epoch)


class Conflict(RackstreamError):
    code = "conflict"


class SequenceReused(Conflict):
    code = "sequence-reused"

    def __init__(self, sequence: int, known_batch: str) -> None:
        super().__init__(
            f"sequence {sequence} belongs to batch {known_batch}", value=sequence, limit=known_batch
        )


class ProposalRefused(Conflict):
    """`reason` is a word for programs; `is_passing` says whether asking again soon may help."""

    code = "proposal-refused"

    def __init__(
        self,
        reason: str,
        message: str,
        *,
        value: object = None,
        limit: object = None,
        is_passing: bool = False,
    ) -> None:
        super().__init__(f"{reason}: {message}", value=value, limit=limit)
        self.reason = reason
        self.is_passing = is_passing


class ConfigurationError(RackstreamError):
    code = "configuration"


class KeyRefused(ConfigurationError):
    """The message names the account and the reason; the key itself is in no attribute."""

    code = "key-refused"


class WrongChain(ConfigurationError):
    code = "wrong-chain"

    def __init__(self, actual: int, expected: int) -> None:
        super().__init__(
            f"the node serves chain {actual}, expected is {expected}", value=actual, limit=expected
        )


class DeploymentMissing(ConfigurationError):
    code = "deployment-missing"

    def __init__(self, chain_id: int, what: str) -> None:
        super().__init__(f"nothing is deployed on chain {chain_id}: {what}", value=what)


class DeploymentMalformed(ConfigurationError):
    code = "deployment-malformed"

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path} is no record of a deployment: {reason}", value=path)


class DatabaseBusy(ConfigurationError):
    code = "database-busy"

    def __init__(self, database: str) -> None:
        super().__init__(f"another process works on database {database!r}", value=database)


class DatabaseOfAnother(ConfigurationError):
    code = "database-of-another"

    def __init__(self, actual: str, expected: str) -> None:
        super().__init__(
            f"the database belongs to {actual}, expected is {expected}",
            value=actual,
            limit=expected,
        )


class PortTaken(ConfigurationError):
    code = "port-taken"

    def __init__(self, host: str, port: int, reason: str) -> None:
        super().__init__(f"cannot listen on {host}:{port}: {reason}", value=port)


class ChainError(RackstreamError):
    code = "chain-error"


class ContractReverted(ChainError):
    """`name` is the error's in its interface (`MetricsOracle_Replayed`), `arguments` its fields by
    name.
    """

    code = "contract-reverted"

    def __init__(self, name: str, arguments: Mapping[str, object]) -> None:
        listed = ", ".join(f"{key}={value}" for key, value in arguments.items())
        super().__init__(f"reverted with {name}({listed})", value=dict(arguments))
        self.name = name
        self.arguments = dict(arguments)


class NodeRefused(ChainError):
    """`error_code` is that of JSON-RPC."""

    code = "node-refused"

    def __init__(self, method: str, error_code: int, reason: str) -> None:
        super().__init__(f"{method} was refused ({error_code}): {reason}", value=error_code)
        self.method = method
        self.error_code = error_code
        self.reason = reason


class UndecodableAnswer(ChainError):
    code = "undecodable-answer"

    def __init__(self, signature: str, answer: bytes) -> None:
        super().__init__(
            f"{len(answer)} bytes are no answer of {signature}", value="0x" + answer.hex()
        )


class Unavailable(RackstreamError):
    code = "unavailable"


class ChainUnavailable(Unavailable):
    """Names the node's host only: the path of a provider's URL often is an access key."""

    code = "chain-unavailable"

    def __init__(self, url: str, reason: str) -> None:
        host = host_of(url)
        super().__init__(f"the node at {host} cannot be reached: {reason}", value=host)


class ChainBehind(Unavailable):
    code = "chain-behind"

    def __init__(self, host: str, blocks: int, limit: int) -> None:
        super().__init__(
            f"the node at {host} is {blocks} blocks behind, at most {limit} are allowed",
            value=blocks,
            limit=limit,
        )


class ChainTimeout(Unavailable):
    code = "chain-timeout"

    def __init__(self, method: str, seconds: float) -> None:
        super().__init__(
            f"{method} was not answered within {seconds} seconds", value=method, limit=seconds
        )


class StoreUnavailable(Unavailable):
    code = "store-unavailable"

    def __init__(self, reason: str) -> None:
        super().__init__(f"the database cannot be reached: {reason}")


class Busy(Unavailable):
    code = "busy"


class RateLimited(RackstreamError):
    """For so many seconds."""

    code = "rate-limited"

    def __init__(self, seconds: int) -> None:
        super().__init__(
            f"too many requests from this address were not paid for; come again in {seconds} s"
        )
        self.seconds = seconds


class UpstreamUnavailable(Unavailable):
    code = "upstream-unavailable"


class PeerUnavailable(Unavailable):
    code = "peer-unavailable"

    def __init__(self, peer: str, reason: str) -> None:
        super().__init__(f"reporter {peer} does not answer: {reason}", value=peer)


class GatewayUnavailable(Unavailable):
    code = "gateway-unavailable"

    def __init__(self, host: str, reason: str) -> None:
        super().__init__(
            f"the gateway at {host} does not tell of the channel: {reason}", value=host
        )


class SignerUnavailable(Unavailable):
    """Names the signer's host only: the URL may hold a password."""

    code = "signer-unavailable"

    def __init__(self, host: str, reason: str) -> None:
        super().__init__(f"the signer at {host} cannot be asked: {reason}", value=host)


class SignerRefused(Unavailable):
    """It may be told to sign, or be given the key, at any time."""

    code = "signer-refused"

    def __init__(self, host: str, reason: str) -> None:
        super().__init__(f"the signer at {host} refuses: {reason}", value=host)
        self.reason = reason


class SignerUntrue(Unavailable):
    """Nothing of what it answered is used; what is wanted is asked for again."""

    code = "signer-untrue"

    def __init__(self, host: str, reason: str) -> None:
        super().__init__(f"the signer at {host} signed other than was asked: {reason}", value=host)


class GpuSetUnknown(Unavailable):
    code = "gpu-set-unknown"

    def __init__(self, cluster_id: int, root: str) -> None:
        super().__init__(
            f"the manifest of cluster {cluster_id} with root {root} was not handed in yet",
            value=root,
            limit=cluster_id,
        )
        self.cluster_id = cluster_id
        self.root = root


class NotStarted(Unavailable):
    code = "not-started"


class SourceUnavailable(Unavailable):
    code = "source-unavailable"


class OutboxUnavailable(Unavailable):
    code = "outbox-unavailable"
