"""The cluster that all faults are done to, and what every one of them begins and ends with."""

import select
import time

from netlab import fleet
from suite import Skipped, expect, expect_in_time

from .promises import ANSWER, HEALTH, OFFLINE, OWNERS, WHOLE, p99, row
from .traffic import Contest, Talk, Watch, refused, until_reached

NAMES = 10_000


class Cluster:
    """Three servers, their Redis, and a crowd of clients that are only there: n0 on one, n1 on two, n2 on three …"""

    def __init__(self, lab):
        self.redis, self.servers = fleet.start(lab)
        self.crowd = {host: {} for host in fleet.HOSTS}

    def all_ready(self, meanwhile=lambda: None):
        for server in self.servers.values():
            def ready(server=server):
                meanwhile()
                return server.is_ready()
            fleet.until(ready, f"{server.host} ready", 20)

    def fill(self):
        """Until all of the crowd is there (again)."""
        self.all_ready()
        for first, (host, server) in enumerate(self.servers.items()):
            missing = [name for n in range(first, NAMES, 3) if (name := f"n{n}") not in self.crowd[host]]
            self.crowd[host].update(zip(missing, fleet.crowd(server, missing)))

    def leave(self, host):
        for client in self.crowd[host].values():
            client.close()
        self.crowd[host].clear()

    def disturbed(self, hosts):
        """How many of the crowd on those servers were closed, or told anything."""
        look = select.poll()
        for host in hosts:
            for client in self.crowd[host].values():
                look.register(client.socket, select.POLLIN)
        return len(look.poll(0))


class Fault:
    """One fault, by its name in the table: `with Fault(cluster, "kill -9", FREE, through=("one", "two")) as fault`.

    It begins with all names registered on all servers, and those that are to live `through` it are asked for /healthz
    from then on. In it, talks, contests and waits are taken note of. In the end each promise is a row of `table`,
    whatever happened; one that was broken, or not measured, fails the check.
    """

    def __init__(self, cluster, name, *promises, through=fleet.HOSTS, table):
        if isinstance(cluster, str):
            raise Skipped(cluster)
        self.cluster, self.name, self.table = cluster, name, table
        self.promises = [*promises, ANSWER, HEALTH, WHOLE]
        self.through = [cluster.servers[host] for host in through]
        self.waits, self.offline, self.measured = [], [], {}
        self.talks, self.contests, self.clients = [], [], []

    def __enter__(self):
        self.cluster.fill()
        self.watch = Watch(self.through)
        self.began = time.monotonic()
        return self

    def __exit__(self, kind, *_):
        self.watch.end()
        try:
            if kind is None:
                self._measure()
        finally:
            for user in [*self.talks, *self.contests, *self.clients]:
                user.close()
            found = {promise: self.measured.get(promise, (None,)) for promise in self.promises}
            rows = {promise: row(self.name, promise, *measured) for promise, measured in found.items()}
            self.table += rows.values()
        if kind is None:
            broken = {promise: r for promise, r in rows.items() if r["verdict"] != "kept"}
            late = all(promise.timed and found[promise][0] is not None for promise in broken)
            words = "; ".join(f"{r['promise']}: {r['measured']}, limit {r['limit']}" for r in broken.values())
            (expect_in_time if late else expect)(not broken, words)

    def _measure(self):
        twice = sum(talk.too_much() for talk in self.talks)
        disturbed = self.cluster.disturbed(server.host for server in self.through)
        offers = sum(talk.count for talk in self.talks)
        quiet = sum(len(self.cluster.crowd[server.host]) for server in self.through) - disturbed
        self.take(WHOLE, twice + disturbed, f"of {2 * offers} messages; {quiet} others undisturbed")
        self.take(HEALTH, self.watch.unwell if self.watch.asked else None, f"of {self.watch.asked}")
        for contest in self.contests:
            most, heard, generations = contest.verdict()
            self.take(OWNERS, most, f"({heard} offers heard, {generations} generations)")
        if OFFLINE in self.promises:
            self.take(OFFLINE, p99(self.offline), f"of {len(self.offline)}")
        self.take(ANSWER, max(self.waits, default=None), f"of {len(self.waits)}")

    def take(self, promise, value, detail=""):
        self.measured[promise] = value, detail

    def __getattr__(self, host):
        """fault.one, fault.two, fault.three: the servers."""
        try:
            return self.cluster.servers[host]
        except KeyError:
            raise AttributeError(host) from None

    @property
    def redis(self):
        return self.cluster.redis

    def seconds(self):
        return time.monotonic() - self.began

    def join(self, server, name):
        client, secret = fleet.join(server, name)
        self.clients.append(client)
        return client, secret

    def talk(self, here, there, name):
        self.talks.append(Talk(here, there, name, self.waits))
        return self.talks[-1]

    def contest(self, owner, name, senders):
        self.contests.append(Contest(self.redis, owner, name, senders, self.waits))
        return self.contests[-1]

    def refused(self, client, target, *codes):
        code, took = refused(client, target)
        expect(code in codes, f"{target}: {code}, not {' or '.join(codes)}")
        self.waits.append(took)
        return took

    def told_offline(self, client, target):
        self.offline.append(self.refused(client, target, "peer-not-found"))

    def until_reached(self, sender, hearer, target):
        refusals, waits = until_reached(sender, hearer, target)
        self.waits += waits
        return refusals
