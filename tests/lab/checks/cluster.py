"""Three servers and a Redis, 10,000 names, and every fault that a cluster of them is to live through."""

import signal
import time

from faults.fixture import NAMES, Cluster, Fault
from faults.promises import FREE, OFFLINE, OWNERS
from faults.traffic import closed_with
from netlab import fleet
from suite import check, expect, expect_equal, expect_in_time

SITES = fleet.SITES
DELAYS = {fleet.REDIS_HOST: 0}
TABLE = []  # what each fault was promised, and what was measured


class State:
    cluster = None  # or why there is none


def prepare(lab):
    try:
        State.cluster = Cluster(lab)
    except FileNotFoundError as reason:
        State.cluster = str(reason)


def fault(name, *promises, **how):
    return Fault(State.cluster, name, *promises, table=TABLE, **how)


@check(f"{NAMES:,} names on three servers; offers and answers between them, and word of who is nowhere")
def _(_):
    with fault("none", OFFLINE) as calm:
        expect_equal(sum(server.metric("names") for server in calm.through), NAMES, "names")
        talk, (asks, _) = calm.talk(calm.one, calm.two, "talk"), calm.join(calm.one, "asks")
        for _ in range(200):
            talk.once()
        for n in range(1000):
            calm.told_offline(asks, f"nowhere{n}")


@check("two peers on one server never touch Redis")
def _(_):
    with fault("none, peers of one server") as calm:
        talk = calm.talk(calm.one, calm.one, "local")
        before = calm.one.metric('cluster_messages_total{direction="out"}')
        for _ in range(500):
            talk.once()
        expect_equal(calm.one.metric('cluster_messages_total{direction="out"}'), before, "messages to the cluster")


@check("kill -9: offline at once, owners resume at once, others within the lease")
def _(_):
    with fault("kill -9", OFFLINE, FREE, OWNERS, through=("one", "two")) as killed:
        one, two, three = killed.one, killed.two, killed.three
        asks, _ = killed.join(one, "asks-killed")
        _, secret = killed.join(three, "mine")
        contest, talk = killed.contest(three, "anyones", [one, two]), killed.talk(one, two, "beside-killed")
        began = time.monotonic()
        three.kill()
        for name in State.cluster.crowd["three"]:
            killed.told_offline(asks, name)
        killed.clients.append(fleet.join(one, "mine", secret)[0])
        expect_in_time(time.monotonic() - began < 10, "that took longer than the lease, so it shows nothing")

        def granted():
            talk.once()
            contest.say()
            return contest.claim(two)
        fleet.until(granted, "the name of a dead server", 12)
        killed.take(FREE, time.monotonic() - began)
        contest.reaches(contest.owner)
        State.cluster.leave("three")
        three.start()


@check("SIGSTOP for 15 s and SIGCONT: its clients are let go, and nothing arrives under an old generation")
def _(_):
    with fault("SIGSTOP for 15 s", OFFLINE, FREE, OWNERS, through=("one", "two")) as frozen:
        one, two, three = frozen.one, frozen.two, frozen.three
        (asks, _), (beside, _) = frozen.join(one, "asks-frozen"), frozen.join(three, "beside")
        contest, talk = frozen.contest(three, "frozen", [one, two]), frozen.talk(one, two, "beside-frozen")
        epochs = three.metric("cluster_epochs_total")
        three.send(signal.SIGSTOP)
        stopped = time.monotonic()
        # Those wait in the frozen server's sockets for it to come back.
        contest.owner.say(type="offer", target="beside", sdp="from before")
        given = False
        while time.monotonic() - stopped < 15:
            talk.once()
            contest.say()
            frozen.told_offline(asks, "nowhere")
            if not given and (given := contest.claim(two)):
                frozen.take(FREE, time.monotonic() - stopped)
                for name in State.cluster.crowd["three"]:
                    frozen.told_offline(asks, name)
                    contest.listen()
        contest.hear_out()
        three.send(signal.SIGCONT)
        contest.lets_go(contest.first, "fenced")
        for client in (beside, *State.cluster.crowd["three"].values()):
            closed_with(client, "fenced")
        contest.reaches(contest.owner)
        State.cluster.all_ready()
        expect_equal(three.metric("cluster_epochs_total"), epochs + 1, "epochs")
        expect_equal(three.metric("names"), 0, "names of the frozen server")
        expect(three.is_healthy(), "/healthz of the frozen server afterwards")
        State.cluster.leave("three")


@check("Redis restarts empty: every name is claimed again, and found")
def _(_):
    with fault("Redis restarts empty", OFFLINE, OWNERS) as emptied:
        one, two, three, redis = emptied.one, emptied.two, emptied.three, emptied.redis
        talk, far = emptied.talk(one, one, "local-emptied"), emptied.talk(one, two, "far-emptied")
        contest, (asks, _) = emptied.contest(two, "emptied", [one, two]), emptied.join(three, "asks-emptied")
        names = sum(server.metric("names") for server in emptied.through)
        redis.kill()
        for server in emptied.through:
            fleet.until(lambda s=server: not s.is_ready(), f"{server.host} says that the cluster is away", 5)
            talk.once()
        redis.start()
        began = time.monotonic()
        contest.spy.attach()
        while not all(server.is_ready() for server in emptied.through):
            expect(time.monotonic() - began < 20, "not ready again within 20 s")
            contest.claim(three)  # whoever comes first
            contest.say()
        took = time.monotonic() - began
        expect_equal(redis.ask("DBSIZE"), f":{int(names) + 4}", "keys: names, three leases, the generation")
        for n in range(1000):
            emptied.told_offline(asks, f"nowhere{n}")
        for _ in range(50):
            far.once()
            talk.once()
        contest.reaches(contest.owner)
        # The crowd is found again, each of them.
        for name, client in State.cluster.crowd["two"].items():
            far.a.say(type="offer", target=name, sdp="hello")
            expect_equal(client.hear()["from"], far.names[0], "who says hello")
    return f"{names:.0f} names within {took:.2f} s"


@check("leases end in Redis before their time: every name has one owner again, and is found")
def _(_):
    with fault("leases lapse", OFFLINE, OWNERS) as lapsed:
        one, two, redis = lapsed.one, lapsed.two, lapsed.redis
        far, contest = lapsed.talk(one, two, "far-lapsed"), lapsed.contest(two, "lapsed", [one, two])
        asks, _ = lapsed.join(one, "asks-lapsed")
        before = [server.metric("cluster_leases_lapsed_total") for server in lapsed.through]

        def taken_over():
            # With them goes a name, as if somebody had looked for it.
            redis.ask("EVAL", "return redis.call('DEL', KEYS[1], unpack(redis.call('KEYS', 'sig:n:*')))", "1",
                      f"sig:p:{far.names[1]}")
            lapsed.told_offline(asks, "nowhere")
            return contest.claim(one)
        fleet.until(taken_over, "a name without a lease", 10)

        def seen():
            lapsed.told_offline(asks, "nowhere")
            return all(server.metric("cluster_leases_lapsed_total") > n for server, n in zip(lapsed.through, before))
        fleet.until(seen, "the lapse is seen", 10)
        contest.lets_go(contest.first, "superseded")
        contest.reaches(contest.owner)
        for n in range(1000):
            lapsed.told_offline(asks, f"nowhere{n}")
        for _ in range(20):
            far.once()


@check("Redis is away for 20 s: peers of one server go on, others hear of it at once")
def _(_):
    with fault("Redis away for 20 s", OWNERS) as away:
        one, two, three, redis = away.one, away.two, away.three, away.redis
        talk, far = away.talk(one, one, "local-away"), away.talk(one, two, "far-away")
        contest = away.contest(two, "away", [one, two])
        redis.kill()
        began = time.monotonic()
        fleet.until(lambda: not one.is_ready(), "/readyz says so", 5)
        while time.monotonic() - began < 20:
            talk.once()
            contest.say()
            away.refused(far.a, far.names[1], "cluster-unavailable")
            expect(not contest.claim(three), "a name is given without Redis")
        contest.hear_out()
        redis.start()
        contest.spy.attach()
        State.cluster.all_ready(contest.say)
        far.once()
        contest.reaches(contest.owner)


@check("a partition: the server without Redis serves its own, and loses what others claimed")
def _(lab):
    with fault("partition", OFFLINE, FREE, OWNERS) as cut:
        one, two, three = cut.one, cut.two, cut.three
        talk, far = cut.talk(one, one, "local-cut"), cut.talk(one, two, "far-cut")
        beside, (asks, _) = cut.talk(two, three, "beside-cut"), cut.join(two, "asks-cut")
        contest = cut.contest(one, "claimed", [one, two, three])
        lab.cut("one", fleet.REDIS_HOST)
        try:
            began, given = time.monotonic(), False
            while time.monotonic() - began < 15:
                talk.once()
                beside.once()
                contest.say()
                cut.refused(far.a, far.names[1], "cluster-unavailable", "peer-not-found")
                cut.told_offline(asks, "nowhere")
                if not given and (given := contest.claim(two)):
                    cut.take(FREE, time.monotonic() - began)
        finally:
            lab.heal()
        State.cluster.all_ready(contest.say)
        contest.lets_go(contest.first, "superseded")
        contest.reaches(contest.owner)
        for _ in range(20):
            far.once()
            talk.once()


@check("CLIENT KILL TYPE pubsub: subscriptions are renewed and counted")
def _(_):
    with fault("subscriptions dropped", OFFLINE, OWNERS) as dropped:
        one, two, three, redis = dropped.one, dropped.two, dropped.three, dropped.redis
        far, contest = dropped.talk(one, two, "far-dropped"), dropped.contest(two, "moves", [one, two])
        asks, _ = dropped.join(one, "asks-dropped")
        before = two.metric("cluster_resubscriptions_total")
        disconnects = two.metric("cluster_disconnects_total")
        # Redis may also still know that of a server which was cut off.
        count = int(redis.ask("CLIENT", "KILL", "TYPE", "pubsub").removeprefix(":"))
        # Of this takeover nobody tells the server that had the name: it does not listen.
        expect(contest.claim(three, contest.secret), "a takeover meanwhile")
        expect(count >= len(fleet.HOSTS), f"{count} subscriptions were dropped")
        refusals = dropped.until_reached(far.a, far.b, far.names[1]) + dropped.until_reached(far.b, far.a, far.names[0])
        contest.reaches(contest.owner)
        contest.lets_go(contest.first, "superseded")
        State.cluster.all_ready(contest.say)
        for n in range(1000):
            dropped.told_offline(asks, f"nowhere{n}")
        for _ in range(20):
            far.once()
        expect(two.metric("cluster_resubscriptions_total") == before + 1, "not counted")
        expect(two.metric("cluster_disconnects_total") == disconnects, "the commands' connection ended too")
    return f"{refusals} candidates refused meanwhile"
