"""Three servers and a Redis, 10,000 names, and every fault that SIGNALING.md names."""

import select
import signal
import threading
import time

from netlab import fleet
from suite import Skipped, check, expect, expect_equal

SITES = fleet.SITES
DELAYS = {fleet.REDIS_HOST: 0}

NAMES = 10_000
LONGEST_ANSWER = 2.0
FREE_AFTER = 10.0  # the names of a server that is not there


class State:
    redis, missing = None, None
    servers = {}
    crowd = {}  # host -> clients that are only there
    talks = 0


def prepare(lab):
    try:
        State.redis, State.servers = fleet.start(lab)
        State.crowd = {host: [] for host in fleet.HOSTS}
    except FileNotFoundError as reason:
        State.missing = str(reason)


def fleet_of(_lab):
    if State.missing:
        raise Skipped(State.missing)
    return State.redis, *State.servers.values()


def all_ready():
    for server in State.servers.values():
        fleet.until(server.is_ready, f"{server.host} ready", 20)


class Watch:
    """Asks /healthz of the servers, one after the other, until the block ends: green each time."""

    def __init__(self, *servers):
        self.servers, self.over, self.asked, self.unwell = servers, threading.Event(), 0, []
        self.thread = threading.Thread(target=self._look)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, kind, *_):
        self.over.set()
        self.thread.join()
        if kind is None:
            expect(self.asked > 0, "/healthz was never asked")
            expect_equal(self.unwell, [], "servers whose /healthz was not green")

    def _look(self):
        while not self.over.wait(0.05):
            for server in self.servers:
                self.asked += 1
                if not server.is_healthy():
                    self.unwell.append(server.host)


class Talk:
    """Two clients that stay connected: each offer is numbered, and answered."""

    def __init__(self, here, there, name):
        State.talks += 1
        self.names = f"{name}{State.talks}-a", f"{name}{State.talks}-b"
        (self.a, _), (self.b, _) = fleet.join(here, self.names[0]), fleet.join(there, self.names[1])
        self.count, self.longest = 0, 0.0

    def once(self):
        """One offer and its answer. Nothing may come that was not just said."""
        self.count += 1
        began = time.monotonic()
        text = f"{self.names[0]} {self.count}"
        self.a.say(type="offer", target=self.names[1], sdp=text)
        expect_equal(self.b.hear(LONGEST_ANSWER), {"type": "offer", "from": self.names[0], "sdp": text}, "offer")
        self.b.say(type="answer", target=self.names[0], sdp=text)
        expect_equal(self.a.hear(LONGEST_ANSWER), {"type": "answer", "from": self.names[1], "sdp": text}, "answer")
        self.longest = max(self.longest, time.monotonic() - began)

    def __str__(self):
        return f"{self.count} offers beside, {self.longest * 1000:.0f} ms at most"

    def end(self):
        twice = self.a.heard_something() or self.b.heard_something()
        self.a.close()
        self.b.close()
        expect(not twice, "something came twice")


class Heir:
    """Asks again and again for a name of a server that is not there, until it has it."""

    def __init__(self, at, name, gone_at):
        self.at, self.name, self.gone_at, self.free_after, self.client = at, name, gone_at, None, None

    def ask(self):
        """Whether it has the name."""
        if self.free_after is None:
            began = time.monotonic()
            asking = fleet.Client(self.at)  # each time another: who registers nothing is sent away after 10 s
            answer = asking.register(self.name)["type"]
            expect(time.monotonic() - began < LONGEST_ANSWER, "a registration waited too long")
            if answer == "registered":
                self.client = asking
                self.free_after = time.monotonic() - self.gone_at
                expect(self.free_after <= FREE_AFTER, f"{self.name} was free after {self.free_after:.1f} s")
                return True
            asking.close()
            expect(time.monotonic() - self.gone_at <= FREE_AFTER + LONGEST_ANSWER, f"{self.name} is still taken")
        return self.free_after is not None

    def end(self):
        expect(not self.client.heard_something(), "what was not for it came to the new owner")
        self.client.close()


def ended_as(client, reason):
    """The server lets it go, and says why, before anything else."""
    try:
        raise AssertionError(f"the old owner heard {client.hear(5)}")
    except ConnectionError as end:
        expect(reason in str(end), f"closed with {end}")


def refused(client, target):
    """The error's code, and how long it took."""
    began = time.monotonic()
    client.say(type="offer", target=target, sdp="x")
    answer = client.hear(LONGEST_ANSWER)
    expect_equal((answer["type"], answer.get("target")), ("error", target), "an answer of some kind")
    return answer["code"], time.monotonic() - began


def until_reached(sender, hearer, target):
    """Sends candidates, each of which arrives or is refused, until one arrives; how many were refused."""
    refusals = 0

    def arrived():
        nonlocal refusals
        sent = f"{target} {refusals}"
        sender.say(type="candidate", target=target, candidate={"candidate": sent})
        look = select.poll()
        for client in (sender, hearer):
            look.register(client.socket, select.POLLIN)
        expect(look.poll(LONGEST_ANSWER * 1000), "neither the candidate came nor word of it")
        if hearer.heard_something():
            expect_equal(hearer.hear(LONGEST_ANSWER)["candidate"], {"candidate": sent}, "the candidate")
            return True
        expect_equal(sender.hear(LONGEST_ANSWER).get("code"), "peer-not-found", "why it did not arrive")
        refusals += 1
        return False
    fleet.until(arrived, "the subscription", 5)
    return refusals


@check(f"{NAMES:,} names on three servers; offers and answers between them")
def _(lab):
    _, *servers = fleet_of(lab)
    for first, server in enumerate(servers):
        State.crowd[server.host] = fleet.crowd(server, [f"n{n}" for n in range(first, NAMES, 3)])
    expect_equal(sum(server.metric("names") for server in servers), NAMES, "names")
    talk = Talk(servers[0], servers[1], "talk")
    for _ in range(200):
        talk.once()
    talk.end()


@check("two peers on one server never touch Redis")
def _(lab):
    _, one, *_ = fleet_of(lab)
    talk = Talk(one, one, "local")
    before = one.metric('cluster_messages_total{direction="out"}')
    for _ in range(500):
        talk.once()
    expect_equal(one.metric('cluster_messages_total{direction="out"}'), before, "messages to the cluster")
    talk.end()


@check("who is nowhere is told offline within 50 ms (p99)")
def _(lab):
    _, one, *_ = fleet_of(lab)
    client, _ = fleet.join(one, "asks1")
    times = []
    for n in range(1000):
        code, took = refused(client, f"nowhere{n}")
        expect_equal(code, "peer-not-found", "code")
        times.append(took)
    client.close()
    p99 = sorted(times)[990] * 1000
    expect(p99 < 50, f"p99 {p99:.1f} ms")
    return f"p50 {sorted(times)[500] * 1000:.2f} ms, p99 {p99:.2f} ms"


@check("kill -9: offline at once, owners resume at once, others within the lease")
def _(lab):
    _, one, two, three = fleet_of(lab)
    asks, _ = fleet.join(one, "asks2")
    (_, secret), (lost, _) = fleet.join(three, "mine"), fleet.join(three, "anyones")
    talk = Talk(one, two, "bystanders")
    with Watch(one, two):
        killed = time.monotonic()
        three.kill()
        times = []
        for n in range(2, NAMES, 3):
            code, took = refused(asks, f"n{n}")
            expect_equal(code, "peer-not-found", "code")
            times.append(took)
        resumed, _ = fleet.join(one, "mine", secret)
        expect(time.monotonic() - killed < 10, "that took longer than the lease, so it shows nothing")
        heir = Heir(two, "anyones", killed)
        while not heir.ask():
            talk.once()
    talk.end()
    heir.end()
    for client in (asks, resumed, lost, *State.crowd["three"]):
        client.close()
    State.crowd["three"].clear()
    three.start()
    p99 = sorted(times)[len(times) * 99 // 100] * 1000
    expect(p99 < 50, f"offline told after {p99:.1f} ms (p99)")
    return f"offline p99 {p99:.2f} ms, free after {heir.free_after:.1f} s, {talk}"


@check("SIGSTOP for 15 s and SIGCONT: its clients are let go, and nothing arrives under an old generation")
def _(lab):
    _, one, two, three = fleet_of(lab)
    asks, _ = fleet.join(one, "asks3")
    (old, _), (beside, _) = fleet.join(three, "frozen"), fleet.join(three, "beside")
    talk = Talk(one, two, "bystanders")
    longest = 0.0
    with Watch(one, two):
        three.send(signal.SIGSTOP)
        stopped = time.monotonic()
        # Those wait in the frozen server's sockets for it to come back.
        old.say(type="offer", target="beside", sdp="from before")
        heir = Heir(two, "frozen", stopped)  # another owner, after the lease
        while time.monotonic() - stopped < 15:
            if time.monotonic() - stopped < FREE_AFTER - 3:  # each takes an acknowledgement's time
                code, took = refused(asks, "frozen")
                expect_equal(code, "peer-not-found", "code")
                longest = max(longest, took)
            else:
                heir.ask()
            talk.once()
        three.send(signal.SIGCONT)
        for client in (old, beside):
            ended_as(client, "fenced")
        asks.say(type="offer", target="frozen", sdp="to the heir")
        expect_equal(heir.client.hear(LONGEST_ANSWER)["sdp"], "to the heir", "what the heir hears")
    expect(longest < LONGEST_ANSWER, f"someone waited for {longest:.2f} s")
    all_ready()
    expect_equal(three.metric("cluster_epochs_total"), 2, "epochs")
    expect_equal(three.metric("names"), 0, "names of the frozen server")
    talk.end()
    heir.end()
    asks.close()
    return f"free after {heir.free_after:.1f} s, the longest wait {longest:.2f} s, {talk}"


@check("Redis restarts empty: every name is claimed again, and found")
def _(lab):
    redis, one, two, three = fleet_of(lab)
    talk = Talk(one, one, "local")
    far = Talk(one, two, "far")
    with Watch(one, two, three):
        names = sum(server.metric("names") for server in (one, two, three))
        redis.kill()
        for server in (one, two, three):
            fleet.until(lambda s=server: not s.is_ready(), f"{server.host} says that the cluster is away", 5)
            talk.once()
        redis.start()
        began = time.monotonic()
        all_ready()
        took = time.monotonic() - began
        expect_equal(redis.ask("DBSIZE"), f":{int(names) + 4}", "keys: names, three leases, the generation")
        for _ in range(50):
            far.once()
            talk.once()
        # The crowd is found again, each of them.
        for n, client in enumerate(State.crowd["two"]):
            far.a.say(type="offer", target=f"n{3 * n + 1}", sdp="hello")
            expect_equal(client.hear(LONGEST_ANSWER)["from"], far.names[0], "who says hello")
    talk.end()
    far.end()
    return f"{names:.0f} names within {took:.2f} s, {talk}"


@check("leases end in Redis before their time: every name has one owner again, and is found")
def _(lab):
    redis, one, two, three = fleet_of(lab)
    far = Talk(one, two, "far")
    with Watch(one, two, three):
        (old, _), stranger = fleet.join(two, "lapsed"), fleet.Client(one)
        before = [server.metric("cluster_leases_lapsed_total") for server in (one, two, three)]

        def taken_over():
            # With them goes a name, as if somebody had looked for it.
            redis.ask("EVAL", "return redis.call('DEL', KEYS[1], unpack(redis.call('KEYS', 'sig:n:*')))", "1",
                      f"sig:p:{far.names[1]}")
            return stranger.register("lapsed")["type"] == "registered"
        fleet.until(taken_over, "a name without a lease", 10)
        for server, known in zip((one, two, three), before):
            fleet.until(lambda s=server, n=known: s.metric("cluster_leases_lapsed_total") > n, "the lapse is seen", 10)
        ended_as(old, "superseded")
        for _ in range(20):
            far.once()
        expect(not stranger.heard_something(), "the new owner heard something")
    stranger.close()
    far.end()
    return f"{far}"


@check("Redis is away for 20 s: peers of one server go on, others hear of it at once")
def _(lab):
    redis, one, two, three = fleet_of(lab)
    talk, far = Talk(one, one, "local"), Talk(one, two, "far")
    longest = 0.0
    with Watch(one, two, three):
        redis.kill()
        away = time.monotonic()
        fleet.until(lambda: not one.is_ready(), "/readyz says so", 5)
        while time.monotonic() - away < 20:
            talk.once()
            code, took = refused(far.a, far.names[1])
            expect_equal(code, "cluster-unavailable", "code")
            longest = max(longest, took)
        redis.start()
        all_ready()
        far.once()
    talk.end()
    far.end()
    expect(longest < LONGEST_ANSWER, f"someone waited for {longest:.2f} s")
    return f"a word of refusal took {longest * 1000:.1f} ms at most, {talk}"


@check("a partition: the server without Redis serves its own, and loses what others claimed")
def _(lab):
    _, one, two, three = fleet_of(lab)
    talk, far, bystanders = Talk(one, one, "local"), Talk(one, two, "far"), Talk(two, three, "bystanders")
    claimed, _ = fleet.join(one, "claimed")
    longest = 0.0
    with Watch(one, two, three):
        lab.cut("one", fleet.REDIS_HOST)
        heir = Heir(two, "claimed", time.monotonic())
        try:
            until = time.monotonic() + 12
            while time.monotonic() < until:
                heir.ask()
                talk.once()
                bystanders.once()
                for client, target in ((far.a, far.names[1]), (far.b, far.names[0])):
                    code, took = refused(client, target)
                    expect(code in ("cluster-unavailable", "peer-not-found"), code)
                    longest = max(longest, took)
        finally:
            lab.heal()
        all_ready()
        ended_as(claimed, "superseded")
        for _ in range(20):
            far.once()
            talk.once()
    expect(longest < LONGEST_ANSWER, f"someone waited for {longest:.2f} s")
    for one_talk in (talk, far, bystanders):
        one_talk.end()
    heir.end()
    return f"free after {heir.free_after:.1f} s, the longest wait {longest:.2f} s, {bystanders}"


@check("CLIENT KILL TYPE pubsub: subscriptions are renewed and counted")
def _(lab):
    redis, one, two, three = fleet_of(lab)
    far = Talk(one, two, "far")
    with Watch(one, two, three):
        (old, secret), heir = fleet.join(two, "moves"), fleet.Client(three)
        before = two.metric("cluster_resubscriptions_total")
        disconnects = two.metric("cluster_disconnects_total")
        # Redis may also still know that of a server which was cut off.
        dropped = int(redis.ask("CLIENT", "KILL", "TYPE", "pubsub").removeprefix(":"))
        # Of this takeover nobody tells the server that had the name: it does not listen.
        expect_equal(heir.register("moves", secret)["type"], "registered", "a takeover meanwhile")
        expect(dropped >= len(fleet.HOSTS), f"{dropped} subscriptions were dropped")
        refusals = until_reached(far.a, far.b, far.names[1]) + until_reached(far.b, far.a, far.names[0])
        ended_as(old, "superseded")
        all_ready()
        for _ in range(20):
            far.once()
        expect(two.metric("cluster_resubscriptions_total") == before + 1, "not counted")
        expect(two.metric("cluster_disconnects_total") == disconnects, "the commands' connection ended too")
        expect(not heir.heard_something(), "the new owner heard something")
    heir.close()
    far.end()
    return f"{refusals} candidates refused meanwhile, {far}"
