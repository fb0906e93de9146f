"""The GPU sets of clusters: taken from whoever hands them in, believed because the chain has the
root."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from api.clock import Clock
from api.domain.codec import to_hex
from api.domain.epochs import epoch_at
from api.domain.gpu_set import GpuSet
from api.errors import GpuSetUnknown, Incoherent
from api.oracle.chain_watch import ChainWatch
from api.store.gpu_sets import GpuSetStore
from api.types import ZERO_DIGEST, ClusterId, Digest, Epoch

_MAX_SETS: Final = 256

MAX_MANIFEST_BYTES: Final = 64 * 1024 * 1024
"""A GPU takes about 250 bytes: room for a quarter of a million."""


class Manifests:
    """GPU sets by cluster and epoch, with the newest ones in memory."""

    def __init__(self, watch: ChainWatch, store: GpuSetStore, clock: Clock) -> None:
        self._watch = watch
        self._store = store
        self._clock = clock
        self._known: OrderedDict[tuple[ClusterId, Digest], GpuSet] = OrderedDict()

    async def put(self, cluster_id: ClusterId, manifest: bytes) -> GpuSet:
        """Keep a manifest whose root is the cluster's on chain, now or as scheduled.

        Raises:
            UnknownCluster: There is no such cluster.
            Incoherent: The manifest names another cluster, or its root is not on chain.
            InvalidInput: It breaks a rule of its own; see `GpuSet.from_manifest`.
        """
        roots = await self._roots(cluster_id)
        gpus = GpuSet.from_manifest(manifest)
        if gpus.cluster_id != cluster_id:
            raise Incoherent(
                f"the manifest is of cluster {gpus.cluster_id}, not of {cluster_id}",
                value=gpus.cluster_id,
                limit=cluster_id,
            )
        if gpus.root not in roots:
            raise Incoherent(
                f"the manifest's root is {to_hex(gpus.root)}, the chain has "
                + " and ".join(map(to_hex, roots)),
                value=to_hex(gpus.root),
                limit=[to_hex(root) for root in roots],
            )
        await self._store.add(
            cluster_id, gpus.root, gpus.to_manifest().encode(), self._clock.now_ms()
        )
        self._remember(gpus)
        return gpus

    async def at(self, cluster_id: ClusterId, epoch: Epoch) -> GpuSet:
        """The GPUs registered in `epoch`.

        Raises UnknownCluster, GpuSetUnknown (until somebody hands the manifest in) or Unavailable.
        """
        spec = await self._watch.spec(cluster_id, epoch)
        return await self.with_root(cluster_id, Digest(spec.gpu_set_root))

    async def with_root(self, cluster_id: ClusterId, root: Digest) -> GpuSet:
        """The GPUs in the manifest with `root`. Raises GpuSetUnknown or StoreUnavailable."""
        known = self._known.get((cluster_id, root))
        if known is not None:
            return known
        if root == ZERO_DIGEST:
            return GpuSet(cluster_id, ())
        manifest = await self._store.manifest(cluster_id, root)
        if manifest is None:
            raise GpuSetUnknown(cluster_id, to_hex(root))
        gpus = GpuSet.from_manifest(manifest)
        self._remember(gpus)
        return gpus

    async def current(self, cluster_id: ClusterId) -> GpuSet:
        """The GPUs registered now. Raises as `at`."""
        return await self.at(cluster_id, epoch_at(self._clock.now()))

    async def _roots(self, cluster_id: ClusterId) -> list[Digest]:
        spec = await self._watch.spec(cluster_id, epoch_at(self._clock.now()))
        roots = [Digest(spec.gpu_set_root)]
        scheduled = await self._watch.registry.scheduled_spec(cluster_id)
        if scheduled is not None and scheduled[0].gpu_set_root not in roots:
            roots.append(Digest(scheduled[0].gpu_set_root))
        next_epoch = self._watch.snapshot.next_epochs.get(cluster_id)
        if next_epoch is not None:
            # Epochs that are still to be reported may be older than a change that acts already.
            behind = Digest((await self._watch.spec(cluster_id, next_epoch)).gpu_set_root)
            if behind not in roots:
                roots.append(behind)
        return roots

    def _remember(self, gpus: GpuSet) -> None:
        self._known[gpus.cluster_id, gpus.root] = gpus
        if len(self._known) > _MAX_SETS:
            self._known.popitem(last=False)
