"""The tables of a service's database, and who writes each.

Every database has all tables; a reporter's and a gateway's use their own.

| table           | writer     | holds                                                        |
|-----------------|------------|--------------------------------------------------------------|
| `identity`      | database   | which account, chain and contract the database belongs to    |
| `transactions`  | sending    | signed transactions, each stored before it is sent           |

Of a reporter:

| table           | writer     | holds                                                        |
|-----------------|------------|--------------------------------------------------------------|
| `gpu_sets`      | ingest     | manifests whose root a cluster has on chain                  |
| `batches`       | ingest     | agents' signed batches, one row each, as they came           |
| `proposals`     | agree      | proposals that this reporter made or signed                  |
| `signatures`    | agree      | what this reporter promised to sign, and signed              |
| `claims`        | vigil      | what others were seen to have signed                         |
| `agreed`        | agree      | reports with a quorum, to be put on chain                    |
| `settlements`   | transmit   | what became of an agreed report                              |
| `reports`       | follow     | reports on chain, with their signatures and transaction      |
| `counted`       | follow     | which report an epoch of a cluster was counted from, and how |
| `cursor`        | follow     | up to which block the chain was read                         |

Of a gateway:

| table           | writer     | holds                                                        |
|-----------------|------------|--------------------------------------------------------------|
| `channels`      | journal    | by payer and key: the largest voucher, what was charged      |
| `charges`       | journal    | what closed receipts charge, by payer, key and cluster       |
| `receipts`      | journal    | one a served request; an open one may still grow. A closed   |
|                 |            | one is `collecting`'s, which notes the collection            |
| `collections`   | collecting | batches of vouchers, each formed before it is sent           |
| `collected`     | collecting | what came in, by payer, key and cluster                      |
| `exact_payments`| exact      | payments of x402, each once; its batch is `settling`'s       |
| `exact_batches` | settling   | such payments that go to the chain together                  |
| `exact_refunds` | refunding  | what is given back of payments that somebody else brought    |

Times are Unix milliseconds (`_ms`) or seconds (`_at`); hashes, addresses and signatures are raw
bytes.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    text,
    true,
)

metadata: Final = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _only_row() -> tuple[Column[bool], CheckConstraint]:
    """A key that allows one row."""
    return (
        Column("singleton", Boolean, primary_key=True, server_default=true()),
        CheckConstraint("singleton", name="singleton"),
    )


identity: Final = Table(
    "identity",
    metadata,
    *_only_row(),
    Column("account", LargeBinary, nullable=False),
    Column("chain_id", BigInteger, nullable=False),
    Column("contract", LargeBinary, nullable=False),
    Column("origin", LargeBinary, nullable=False),
)

gpu_sets: Final = Table(
    "gpu_sets",
    metadata,
    Column("cluster_id", BigInteger, primary_key=True),
    Column("root", LargeBinary, primary_key=True),
    Column("manifest", LargeBinary, nullable=False),
    Column("received_at_ms", BigInteger, nullable=False),
)

batches: Final = Table(
    "batches",
    metadata,
    # The order of arrival: what was received before what, even within a millisecond.
    Column("position", BigInteger, Identity(always=True), nullable=False, unique=True),
    Column("id", LargeBinary, primary_key=True),
    Column("cluster_id", BigInteger, nullable=False),
    Column("agent", LargeBinary, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("through_ms", BigInteger, nullable=False),
    # Both null in a batch without samples, which only says how far the agent has come.
    Column("first_at_ms", BigInteger),
    Column("last_at_ms", BigInteger),
    Column("sample_count", Integer, nullable=False),
    Column("received_at_ms", BigInteger, nullable=False),
    # zlib over the JSON that the agent signed.
    Column("body", LargeBinary, nullable=False),
    Index(None, "cluster_id", "agent", "sequence"),
    Index(None, "cluster_id", "last_at_ms"),
    Index(None, "cluster_id", "through_ms"),
)

proposals: Final = Table(
    "proposals",
    metadata,
    Column("root", LargeBinary, primary_key=True),
    Column("epoch", BigInteger, nullable=False, index=True),
    # The clusters with their batches, sample roots and figures, as JSON.
    Column("content", LargeBinary, nullable=False),
    Column("received_at_ms", BigInteger, nullable=False),
)

signatures: Final = Table(
    "signatures",
    metadata,
    Column("reporter_set_id", BigInteger, primary_key=True),
    Column("epoch", BigInteger, primary_key=True),
    Column("round", BigInteger, primary_key=True),
    Column("root", LargeBinary, ForeignKey("proposals.root"), primary_key=True),
    # Null from the promise until whoever has the key signed it.
    Column("signature", LargeBinary),
    # When it was promised.
    Column("signed_at_ms", BigInteger, nullable=False),
)

claims: Final = Table(
    "claims",
    metadata,
    Column("reporter_set_id", BigInteger, primary_key=True),
    Column("epoch", BigInteger, primary_key=True),
    Column("round", BigInteger, primary_key=True),
    Column("signer", LargeBinary, primary_key=True),
    # What was signed: all of the report.
    Column("digest", LargeBinary, primary_key=True),
    Column("root", LargeBinary, nullable=False),
    Column("figures", LargeBinary, nullable=False),
    Column("signature", LargeBinary, nullable=False),
    Column("heard_at_ms", BigInteger, nullable=False),
)

agreed: Final = Table(
    "agreed",
    metadata,
    Column("reporter_set_id", BigInteger, primary_key=True),
    Column("root", LargeBinary, ForeignKey("proposals.root"), primary_key=True),
    Column("epoch", BigInteger, nullable=False),
    Column("round", BigInteger, nullable=False),
    # 32-byte words, ascending by cluster, and 65-byte signatures, as the contract takes them.
    Column("figures", LargeBinary, nullable=False),
    Column("signatures", LargeBinary, nullable=False),
    Column("agreed_at_ms", BigInteger, nullable=False),
)

transactions: Final = Table(
    "transactions",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    # What it is for; the tries at one thing have the same.
    Column("purpose", String(96), nullable=False, index=True),
    # The account that pays, of which the nonce is.
    Column("sender", LargeBinary, nullable=False),
    Column("nonce", BigInteger, nullable=False),
    Column("hash", LargeBinary, nullable=False, unique=True),
    Column("raw", LargeBinary, nullable=False),
    Column("max_fee", BigInteger, nullable=False),
    Column("max_priority_fee", BigInteger, nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("state", String(16), nullable=False),
    # Where it was mined; null while it is not.
    Column("block_number", BigInteger),
    Column("block_hash", LargeBinary),
    CheckConstraint("state in ('pending', 'mined', 'reverted', 'displaced')", name="state"),
    Index(None, "sender", "nonce"),
    Index("ix_transactions_pending", "id", postgresql_where=text("state = 'pending'")),
)

settlements: Final = Table(
    "settlements",
    metadata,
    Column("reporter_set_id", BigInteger, primary_key=True),
    Column("root", LargeBinary, primary_key=True),
    Column("outcome", String(16), nullable=False),
    Column("settled_at_ms", BigInteger, nullable=False),
    CheckConstraint("outcome in ('on_chain', 'superseded')", name="outcome"),
)

reports: Final = Table(
    "reports",
    metadata,
    Column("root", LargeBinary, primary_key=True),
    Column("epoch", BigInteger, nullable=False, index=True),
    Column("reporter_set_id", BigInteger, nullable=False),
    Column("transmitter", LargeBinary, nullable=False),
    # Null if the report did not come by a plain call of `postReport`.
    Column("round", BigInteger),
    Column("figures", LargeBinary),
    Column("signatures", LargeBinary),
    Column("final_at", BigInteger, nullable=False),
    Column("tx_hash", LargeBinary, nullable=False),
    Column("block_number", BigInteger, nullable=False, index=True),
    Column("block_hash", LargeBinary, nullable=False),
)

counted: Final = Table(
    "counted",
    metadata,
    Column("cluster_id", BigInteger, primary_key=True),
    Column("epoch", BigInteger, primary_key=True),
    Column("root", LargeBinary, ForeignKey("reports.root", ondelete="CASCADE"), nullable=False),
    Column("figures", LargeBinary, nullable=False),
    Column("is_final", Boolean, nullable=False),
    # Kept from being final by a dispute, whatever the window says.
    Column("is_held", Boolean, nullable=False),
    # The few that wait are looked for with every block.
    Index("ix_counted_waiting", "cluster_id", "epoch", postgresql_where=text("not is_final")),
)

cursor: Final = Table(
    "cursor",
    metadata,
    *_only_row(),
    Column("block_number", BigInteger, nullable=False),
    Column("block_hash", LargeBinary, nullable=False),
)

channels: Final = Table(
    "channels",
    metadata,
    Column("payer", LargeBinary, primary_key=True),
    Column("key", LargeBinary, primary_key=True),
    # The most that the key has promised, in 10⁻⁶ dollars, and its signature; null if this gateway
    # signs for the key itself.
    Column("promised_usd6", BigInteger, nullable=False),
    Column("signature", LargeBinary),
    # All that was charged here so far, collected or not.
    Column("spent_usd6", BigInteger, nullable=False),
)

charges: Final = Table(
    "charges",
    metadata,
    Column("payer", LargeBinary, primary_key=True),
    Column("key", LargeBinary, primary_key=True),
    Column("cluster_id", BigInteger, primary_key=True),
    # A registered model; zeros where no royalty is due.
    Column("model_id", LargeBinary, primary_key=True),
    Column("charged_usd6", BigInteger, nullable=False),
)

collections: Final = Table(
    "collections",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("root", LargeBinary, nullable=False),
    # What `collect` is called with, and the same to be read: who promised what, and for whom.
    Column("calldata", LargeBinary, nullable=False),
    Column("content", LargeBinary, nullable=False),
    Column("formed_at_ms", BigInteger, nullable=False),
    # Null until it is as deep in the chain as it has to be.
    Column("collected_usd6", BigInteger),
    Column("tx_hash", LargeBinary),
    Column("block_number", BigInteger),
    Index(
        "uq_collections_open",
        text("(collected_usd6 is null)"),
        unique=True,
        postgresql_where=text("collected_usd6 is null"),
    ),
)

receipts: Final = Table(
    "receipts",
    metadata,
    # Sixteen bytes, random or of a hash, told to the customer before the answer.
    Column("id", LargeBinary, primary_key=True),
    # The order in which they began.
    Column("position", BigInteger, Identity(always=True), nullable=False, unique=True),
    Column("payer", LargeBinary, nullable=False),
    Column("key", LargeBinary, nullable=False),
    Column("cluster_id", BigInteger, nullable=False),
    Column("model_id", LargeBinary, nullable=False),
    Column("charge_usd6", BigInteger, nullable=False),
    Column("served_at", BigInteger, nullable=False),
    # What was signed, as JSON, its hash (the leaf of the tree) and the gateway's signature.
    Column("content", LargeBinary, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Column("signature", LargeBinary, nullable=False),
    # A stream that was not at its end yet.
    Column("is_open", Boolean, nullable=False),
    Column("collection_id", BigInteger, ForeignKey("collections.id"), index=True),
    Index("ix_receipts_open", "id", postgresql_where=text("is_open")),
    Index("ix_receipts_waiting", "position", postgresql_where=text("collection_id is null")),
)

collected: Final = Table(
    "collected",
    metadata,
    Column("payer", LargeBinary, primary_key=True),
    Column("key", LargeBinary, primary_key=True),
    Column("cluster_id", BigInteger, primary_key=True),
    Column("model_id", LargeBinary, primary_key=True),
    Column("collected_usd6", BigInteger, nullable=False),
)

exact_batches: Final = Table(
    "exact_batches",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    # What is called; to settle, and then again to allocate what was settled ahead.
    Column("kind", String(16), nullable=False),
    Column("target", LargeBinary, nullable=False),
    Column("calldata", LargeBinary, nullable=False),
    # Null for what no cluster of this gateway is paid for.
    Column("cluster_id", BigInteger),
    Column("model_id", LargeBinary, nullable=False),
    Column("root", LargeBinary),
    Column("formed_at_ms", BigInteger, nullable=False),
    Column("state", String(16), nullable=False),
    # Words of what was settled ahead, as the chain keeps them by their hash.
    Column("entries", LargeBinary),
    CheckConstraint("kind in ('settle', 'ahead', 'plain')", name="kind"),
    CheckConstraint("state in ('settling', 'waiting', 'allocating', 'closed')", name="state"),
    Index("ix_exact_batches_open", "id", postgresql_where=text("state <> 'closed'")),
)

exact_payments: Final = Table(
    "exact_payments",
    metadata,
    # Of the chain's own: an authorisation is used once.
    Column("payer", LargeBinary, primary_key=True),
    Column("nonce", LargeBinary, primary_key=True),
    Column("pay_to", LargeBinary, nullable=False),
    Column("value_usd6", BigInteger, nullable=False),
    Column("valid_after", BigInteger, nullable=False),
    Column("valid_before", BigInteger, nullable=False),
    Column("signature", LargeBinary, nullable=False),
    Column("cluster_id", BigInteger),
    # Zeros also until it is ordered: before it is not known where the request is served.
    Column("model_id", LargeBinary, nullable=False),
    # The newest block when it was taken: it was not used up to there.
    Column("from_block", BigInteger, nullable=False),
    Column("taken_at_ms", BigInteger, nullable=False),
    Column("kind", String(16)),
    Column("used_usd6", BigInteger),
    Column("receipt_hash", LargeBinary),
    Column("batch_id", BigInteger, ForeignKey("exact_batches.id"), index=True),
    Column("place", BigInteger),
    Column("state", String(16), nullable=False),
    Column("reason", String(64)),
    Column("tx_hash", LargeBinary),
    CheckConstraint(
        "state in ('taken', 'due', 'settling', 'settled', 'fronted', 'failed')", name="state"
    ),
    Index("ix_exact_payments_due", "taken_at_ms", postgresql_where=text("state = 'due'")),
    Index("ix_exact_payments_fronted", "taken_at_ms", postgresql_where=text("state = 'fronted'")),
)

exact_refunds: Final = Table(
    "exact_refunds",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("payer", LargeBinary, nullable=False),
    Column("nonce", LargeBinary, nullable=False),
    Column("receipt_hash", LargeBinary, nullable=False),
    Column("amount_usd6", BigInteger, nullable=False),
    Column("calldata", LargeBinary, nullable=False),
    # In which the payment was brought: it was not given back before.
    Column("from_block", BigInteger, nullable=False),
    Column("formed_at_ms", BigInteger, nullable=False, index=True),
    # Once that is as deep as it has to be.
    Column("tx_hash", LargeBinary),
    ForeignKeyConstraint(["payer", "nonce"], ["exact_payments.payer", "exact_payments.nonce"]),
    UniqueConstraint("payer", "nonce"),
    Index("ix_exact_refunds_open", "id", postgresql_where=text("tx_hash is null")),
)
