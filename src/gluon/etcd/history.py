"""How far a client has seen etcd's history go, by which it knows when another etcd answers.  Pure."""

from __future__ import annotations

from gluon.etcd.errors import ClusterReplaced


class History:
    """One etcd as one client knows it: the cluster, and the highest revision it has answered with.

    A linearizable answer can't be older than what was seen when the call was sent, whichever server
    gives it.  If it is, etcd's data was lost or restored from a backup.  Then this history has ended
    for good, for everything that was begun in it.  Others may have written so much into the restored
    etcd that its revision tells nothing; then the landmark does (`Client.verify`).
    """

    def __init__(self) -> None:
        self.cluster_id = 0
        """0: nothing has been seen."""
        self.revision = 0
        """The highest that was seen."""
        self.landmark: tuple[bytes, int] | None = None
        """A key that this client wrote, and the revision that this made: the newest such fact."""
        self._end = ""

    @property
    def ended(self) -> bool:
        """Another etcd answers."""
        return bool(self._end)

    def check(self) -> None:
        """Lets nothing go on that belongs to a history that has ended.

        Raises:
            ClusterReplaced: it has ended.
        """
        if self._end:
            raise ClusterReplaced(self._end)

    def end(self, reason: str) -> None:
        """Ends it; the first reason stays."""
        self._end = self._end or reason

    def wrote(self, key: bytes, revision: int) -> None:
        """Notes what this client has written itself."""
        if self.landmark is None or self.landmark[1] < revision:
            self.landmark = key, revision

    def saw(self, cluster_id: int, revision: int, host: str) -> None:
        """Notes what a watch said, whose revision may lag behind.

        Raises:
            ClusterReplaced: it comes from another cluster, or this had ended before.
        """
        if self.cluster_id not in (0, cluster_id):
            self.end(
                f"etcd {host}: cluster {cluster_id:x} answers, expected {self.cluster_id:x}; do the endpoints name"
                " servers of one cluster?"
            )
        self.check()
        self.cluster_id = cluster_id
        self.revision = max(self.revision, revision)

    def answered(self, cluster_id: int, revision: int, *, sent_at: int, changed: bool, host: str) -> None:
        """Notes a linearizable answer.

        Args:
            cluster_id: who answered.
            revision: the store's, when it answered.
            sent_at: `revision` of this history when the call was sent.
            changed: the call changed something, so the revision must have grown by it.
            host: the server, or the servers of which one answered.

        Raises:
            ClusterReplaced: the answer can't come from the etcd known so far, or this had ended before.
        """
        before = revision - 1 if changed else revision
        if cluster_id == self.cluster_id and before < sent_at:
            self.end(
                f"etcd {host} was at revision {before}, but revision {sent_at} was already seen: its data was lost"
                " or restored from a backup"
            )
        self.saw(cluster_id, revision, host)
