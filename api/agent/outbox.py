"""The agent's memory: signed batches on disk until every reporter has answered for them.

SQLite in WAL mode, synced at every commit. What the rest relies on:

- A batch is on disk before it is sent for the first time, with the exact bytes that are sent.
- A sequence is given out in the same transaction that stores its batch, and never again: a restart,
  however rough, cannot sign two contents under one sequence.
- A delivery ends by an acknowledgement, a final refusal or old age. An end that was lost in a crash
  means that the same bytes are sent once more, which reporters take as the same batch.
- A file belongs to one agent, cluster, chain and oracle; it refuses to serve another.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from api.domain.samples import SignedBatch
from api.errors import ConfigurationError, OutboxUnavailable
from api.types import Address, ClusterId

_SCHEMA = """
create table if not exists meta (
    name text primary key,
    value text not null
) strict;
create table if not exists batches (
    sequence integer primary key,
    stored_ms integer not null,
    body blob not null
) strict;
create table if not exists deliveries (
    reporter text not null,
    sequence integer not null references batches,
    primary key (reporter, sequence)
) strict, without rowid;
create index if not exists deliveries_of_batch on deliveries (sequence);
create table if not exists refusals (
    sequence integer not null,
    reporter text not null,
    status integer not null,
    reason text not null,
    primary key (sequence, reporter)
) strict;
"""

_KEPT_REFUSALS = 10_000
_REASON_CHARS = 1_000

EXPIRED = 0
"""The status of a delivery that was given up for its age."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A batch that a reporter has not answered for."""

    reporter: str
    sequence: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a reporter will not have a batch. `status` is HTTP's, or EXPIRED."""

    reporter: str
    sequence: int
    status: int
    reason: str


class Outbox:
    """Batches of one agent. For one process and one thread at a time."""

    def __init__(
        self,
        path: Path,
        *,
        agent: Address,
        cluster_id: ClusterId,
        chain_id: int,
        oracle: Address,
        reporters: Sequence[str],
        first_sequence: int = 1,
    ) -> None:
        """Open the file, or make it.

        Batches still in it are owed to all of `reporters`, new ones among them; those owed to
        reporters that are no longer named are dropped.

        Raises:
            OutboxUnavailable: The file cannot be made, opened or written, or is no outbox.
            ConfigurationError: It belongs to another agent, cluster, chain or oracle, or another
                process has it open.
        """
        self._reporters = tuple(reporters)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, isolation_level=None, timeout=0.0)
        except (OSError, sqlite3.Error) as error:
            raise OutboxUnavailable(f"{path} cannot be opened: {error}", value=str(path)) from None
        try:
            self._lock(path)
            self._db.executescript(_SCHEMA)
            with self._transaction():
                self._claim(path, f"{agent} {cluster_id} {chain_id} {oracle}")
                self._put_if_absent("next_sequence", str(first_sequence))
                self._owe_to(self._reporters)
        except sqlite3.Error as error:
            self._db.close()
            raise OutboxUnavailable(f"{path} cannot be used: {error}", value=str(path)) from None
        except (ConfigurationError, OutboxUnavailable):
            self._db.close()
            raise

    def close(self) -> None:
        self._db.close()

    def append(self, make: Callable[[int], SignedBatch], stored_ms: int) -> SignedBatch:
        """Store the batch that `make` signs under the next sequence; on return it is on disk.

        `stored_ms` is the machine's time, for `expire`.

        Raises:
            OutboxUnavailable: The disk did not take it (full, read-only, failing): nothing was
                stored and the sequence was not given out.
        """
        with self._transaction():
            sequence = int(self._get("next_sequence"))
            signed = make(sequence)
            self._db.execute(
                "insert into batches (sequence, stored_ms, body) values (?, ?, ?)",
                (sequence, stored_ms, signed.to_json()),
            )
            self._db.executemany(
                "insert into deliveries (reporter, sequence) values (?, ?)",
                [(reporter, sequence) for reporter in self._reporters],
            )
            self._put("next_sequence", str(sequence + 1))
            self._put("through_ms", str(signed.batch.through_ms))
        return signed

    @property
    def through_ms(self) -> int | None:
        """The instant up to which everything was put here; None before the first batch."""
        found = self._db.execute("select value from meta where name = 'through_ms'").fetchone()
        return None if found is None else int(found[0])

    def next_for(self, reporter: str, after: int = 0) -> Delivery | None:
        """The oldest batch after sequence `after` that this reporter has not answered for."""
        found = self._db.execute(
            "select sequence, body from deliveries join batches using (sequence)"
            " where reporter = ? and sequence > ? order by sequence limit 1",
            (reporter, after),
        ).fetchone()
        return None if found is None else Delivery(reporter, *found)

    def owed(self, reporter: str) -> int:
        """How many batches this reporter has not answered for."""
        count = self._db.execute(
            "select count(*) from deliveries where reporter = ?", (reporter,)
        ).fetchone()
        return int(count[0])

    def acknowledged(self, reporter: str, sequence: int) -> None:
        """The reporter has the batch. Raises OutboxUnavailable; the batch is then sent again."""
        with self._transaction():
            self._end(reporter, sequence)

    def refused(self, reporter: str, sequence: int, status: int, reason: str) -> None:
        """The reporter will never take the batch. Raises OutboxUnavailable; it is asked again."""
        with self._transaction():
            self._record(reporter, sequence, status, reason)
            self._end(reporter, sequence)

    def expire(self, before_ms: int) -> int:
        """Give up what is owed of batches stored before `before_ms`; how many deliveries."""
        with self._transaction():
            old = self._db.execute(
                "select reporter, sequence from deliveries join batches using (sequence)"
                " where stored_ms < ?",
                (before_ms,),
            ).fetchall()
            for reporter, sequence in old:
                self._record(reporter, sequence, EXPIRED, "not taken in time")
                self._end(reporter, sequence)
            return len(old)

    def refusals(self) -> list[Refusal]:
        """The last refusals, oldest first."""
        return [
            Refusal(*row)
            for row in self._db.execute(
                "select reporter, sequence, status, reason from refusals"
                " order by sequence, reporter"
            )
        ]

    def _lock(self, path: Path) -> None:
        try:
            self._db.execute("pragma locking_mode = exclusive")
            self._db.execute("pragma foreign_keys = on")
            self._db.execute("pragma journal_mode = wal")
            self._db.execute("pragma synchronous = full")
            # In this mode the first write takes the file and keeps it.
            self._db.execute("begin immediate")
            self._db.execute("commit")
        except sqlite3.OperationalError as error:
            # The low byte: the rest says what it was busy with.
            if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY:
                raise ConfigurationError(
                    f"another agent is using {path}", value=str(path)
                ) from None
            raise

    def _claim(self, path: Path, owner: str) -> None:
        self._put_if_absent("owner", owner)
        known = self._get("owner")
        if known != owner:
            raise ConfigurationError(
                f"{path} is the outbox of (agent, cluster, chain, oracle) {known}, not of {owner}",
                value=owner,
                limit=known,
            )

    def _owe_to(self, reporters: Sequence[str]) -> None:
        for (known,) in self._db.execute("select distinct reporter from deliveries").fetchall():
            if known not in reporters:
                self._db.execute("delete from deliveries where reporter = ?", (known,))
        known = set(self._get("reporters", "").split())
        for reporter in reporters:
            if reporter not in known:
                self._db.execute(
                    "insert or ignore into deliveries (reporter, sequence)"
                    " select ?, sequence from batches",
                    (reporter,),
                )
        self._db.execute(
            "delete from batches where not exists"
            " (select 1 from deliveries where deliveries.sequence = batches.sequence)"
        )
        self._put("reporters", " ".join(reporters))

    def _end(self, reporter: str, sequence: int) -> None:
        self._db.execute(
            "delete from deliveries where reporter = ? and sequence = ?", (reporter, sequence)
        )
        self._db.execute(
            "delete from batches where sequence = ?1 and not exists"
            " (select 1 from deliveries where sequence = ?1)",
            (sequence,),
        )

    def _record(self, reporter: str, sequence: int, status: int, reason: str) -> None:
        self._db.execute(
            "insert or replace into refusals (sequence, reporter, status, reason)"
            " values (?, ?, ?, ?)",
            (sequence, reporter, status, reason[:_REASON_CHARS]),
        )
        self._db.execute(
            "delete from refusals where rowid <= (select max(rowid) from refusals) - ?",
            (_KEPT_REFUSALS,),
        )

    def _get(self, name: str, default: str | None = None) -> str:
        found = self._db.execute("select value from meta where name = ?", (name,)).fetchone()
        if found is not None:
            return str(found[0])
        if default is None:
            raise OutboxUnavailable(f"the outbox has lost its {name}", value=name)
        return default

    def _put(self, name: str, value: str) -> None:
        self._db.execute("insert or replace into meta (name, value) values (?, ?)", (name, value))

    def _put_if_absent(self, name: str, value: str) -> None:
        self._db.execute("insert or ignore into meta (name, value) values (?, ?)", (name, value))

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            self._db.execute("begin immediate")
            try:
                yield
                self._db.execute("commit")
            except BaseException:
                # A full disk may have rolled back already.
                if self._db.in_transaction:
                    self._db.execute("rollback")
                raise
        except sqlite3.Error as error:
            raise OutboxUnavailable(f"the outbox cannot be written: {error}") from None
