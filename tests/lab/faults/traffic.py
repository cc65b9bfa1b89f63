"""What goes on beside a fault: peers that talk, somebody who looks at /healthz, a name that changes its owner."""

import re
import select
import threading
import time

from netlab import fleet
from suite import expect, expect_equal

PATIENCE = 10.0  # what has not come by then is lost, not late: for that there is the promise of an answer


class Watch:
    """Asks /healthz of servers, one after the other, until it is over."""

    def __init__(self, servers):
        self.servers, self.over, self.asked, self.unwell = servers, threading.Event(), 0, 0
        self.thread = threading.Thread(target=self._look)
        self.thread.start()

    def end(self):
        self.over.set()
        self.thread.join()

    def _look(self):
        over = False
        while not over:  # once at least
            over = self.over.wait(0.05)
            for server in self.servers:
                self.asked += 1
                self.unwell += not server.is_healthy()


class Talk:
    """Two clients that stay connected: each offer is numbered, and answered."""

    def __init__(self, here, there, name, waits):
        self.names = f"{name}-a", f"{name}-b"
        (self.a, _), (self.b, _) = fleet.join(here, self.names[0]), fleet.join(there, self.names[1])
        self.count, self.waits = 0, waits

    def once(self):
        """One offer and its answer. Nothing may come that was not just said."""
        self.count += 1
        text = f"{self.names[0]} {self.count}"
        for kind, (sender, name), (hearer, target) in (
                ("offer", (self.a, self.names[0]), (self.b, self.names[1])),
                ("answer", (self.b, self.names[1]), (self.a, self.names[0]))):
            began = time.monotonic()
            sender.say(type=kind, target=target, sdp=text)
            expect_equal(hearer.hear(PATIENCE), {"type": kind, "from": name, "sdp": text}, kind)
            self.waits.append(time.monotonic() - began)

    def too_much(self):
        """How many of the two heard something twice, or from elsewhere."""
        return self.a.heard_something() + self.b.heard_something()

    def close(self):
        self.a.close()
        self.b.close()


class Spy:
    """Reads along what Redis does, and so under which generation each message of a contest is published."""

    _SEEN = re.compile(rb"\d+:D (\d+) \d+ \d+ |(contest \S+ \d+)")

    def __init__(self, redis):
        self.redis, self.socket, self.rest, self.generations = redis, None, b"", {}
        self.attach()

    def attach(self):
        """Once more, where Redis was started again."""
        if self.socket:
            self.read()
            self.close()
        self.socket = self.redis.watched()
        self.socket.settimeout(0)

    def read(self):
        try:
            while got := self.socket.recv(1 << 20):
                self.rest += got
        except (BlockingIOError, ConnectionError):
            pass
        *lines, self.rest = self.rest.split(b"\r\n")
        for line in lines:
            if b'"PUBLISH"' in line:
                self._read_publication(line)

    def _read_publication(self, line):
        generation = None
        for found in self._SEEN.finditer(line):
            if found[1]:
                generation = int(found[1])
            elif generation:
                self.generations[found[2].decode()] = generation

    def close(self):
        self.socket.close()


class Contest:
    """A name that changes its owner in a fault, and numbered offers to it from servers that live through it.

    Each is to be heard by one client at most, that which was given the generation it was published under.
    """

    def __init__(self, redis, owner, name, senders, waits):
        self.redis, self.name, self.waits, self.count = redis, name, waits, 0
        self.spy = Spy(redis)
        self.generations, self.ended = {}, {}  # of each client that was given the name; why it is no more
        self.heard = {}  # text -> the clients that heard it
        self.owner, self.secret = fleet.join(owner, name)
        self._given_to(self.owner)
        self.first = self.owner
        self.senders = {fleet.join(server, f"{name}-{server.host}")[0]: None for server in senders}
        self.settle()

    def _given_to(self, client):
        self.generations[client] = int(self.redis.ask("GET", f"sig:p:{self.name}").split()[2])
        self.owner = client

    def claim(self, server, resume=None):
        """Whether somebody else is given the name, who hears what is sent to it from then on."""
        client = fleet.Client(server)
        began = time.monotonic()
        answer = client.register(self.name, resume)
        self.waits.append(time.monotonic() - began)
        if answer["type"] == "registered":
            self._given_to(client)
            return True
        expect(answer["code"] in ("id-taken", "cluster-unavailable"), f"the name is refused with {answer}")
        client.close()
        return False

    def say(self):
        """An offer from each sender whose last one was heard or refused."""
        self.listen()
        for sender, waiting in self.senders.items():
            if not waiting:
                self.count += 1
                text = f"contest {self.name} {self.count}"
                sender.say(type="offer", target=self.name, sdp=text)
                self.senders[sender] = text, time.monotonic()

    def listen(self):
        for client in self.generations.keys() - self.ended.keys():
            self._hear(client)
        for sender in self.senders:
            while sender.heard_something():
                expect_equal((answer := sender.hear())["type"], "error", f"what a sender hears, {answer}")
                self._answered(sender)
            if waiting := self.senders[sender]:
                expect(time.monotonic() - waiting[1] < PATIENCE, f"no answer to '{waiting[0]}'")

    def _hear(self, client):
        try:
            while client.heard_something():
                text = client.hear()["sdp"]
                self.heard.setdefault(text, []).append(client)
                for sender, waiting in self.senders.items():
                    if waiting and waiting[0] == text:
                        self._answered(sender)
        except ConnectionError as end:
            self.ended[client] = str(end)

    def _answered(self, sender):
        if self.senders[sender]:
            self.waits.append(time.monotonic() - self.senders[sender][1])
            self.senders[sender] = None

    def settle(self):
        """One more offer from each, until all of them are heard or refused."""
        self.hear_out()
        self.say()
        self.hear_out()

    def hear_out(self):
        """Until all offers are heard or refused: before anything that takes long, for waits are measured by listening."""
        look = select.poll()
        for client in [*self.generations, *self.senders]:
            look.register(client.socket, select.POLLIN)
        while any(self.senders.values()):
            look.poll(50)
            self.listen()

    def reaches(self, client):
        """Until an offer of each sender arrives at that client."""
        def all_arrive():
            before = self.count
            self.settle()
            texts = [f"contest {self.name} {n}" for n in range(before + 1, self.count + 1)]
            return all(self.heard.get(text) == [client] for text in texts)
        fleet.until(all_arrive, f"offers reach the owner of {self.name}", 10)

    def lets_go(self, client, why):
        def ended():
            self.listen()
            return client in self.ended
        fleet.until(ended, f"a former owner of {self.name} is closed", 5)
        expect(why in self.ended[client], f"closed with {self.ended[client]}, not {why}")

    def verdict(self):
        """The most clients that one offer, or one generation, went to; how many offers and generations were heard."""
        self.settle()
        self.spy.read()
        under = {generation: {client} for client, generation in self.generations.items()}
        most, heard_under = 0, set()
        for text, clients in self.heard.items():
            generation = self.spy.generations.get(text)
            most = max(most, len(clients), len(under.setdefault(generation, set()) | {*clients}) if generation else 0)
            if generation:
                under[generation].update(clients)
                heard_under.add(generation)
        return most, len(self.heard), len(heard_under)

    def close(self):
        self.spy.close()
        for client in [*self.generations, *self.senders]:
            client.close()


def refused(client, target):
    """The error's code, and how long it took."""
    began = time.monotonic()
    client.say(type="offer", target=target, sdp="x")
    answer = client.hear(PATIENCE)
    expect_equal((answer["type"], answer.get("target")), ("error", target), "an answer of some kind")
    return answer["code"], time.monotonic() - began


def closed_with(client, why):
    """It hears nothing more, but that."""
    try:
        got = client.hear(5)
    except ConnectionError as end:
        expect(why in str(end), f"closed with {end}, not {why}")
    else:
        raise AssertionError(f"a former owner heard {got}")


def until_reached(sender, hearer, target):
    """Sends candidates, each of which arrives or is refused, until one arrives; the refusals, and all the waits."""
    refusals, waits = 0, []

    def arrived():
        nonlocal refusals
        sent, began = f"{target} {refusals}", time.monotonic()
        sender.say(type="candidate", target=target, candidate={"candidate": sent})
        look = select.poll()
        for client in (sender, hearer):
            look.register(client.socket, select.POLLIN)
        expect(look.poll(PATIENCE * 1000), "neither the candidate came nor word of it")
        waits.append(time.monotonic() - began)
        if hearer.heard_something():
            expect_equal(hearer.hear(PATIENCE)["candidate"], {"candidate": sent}, "the candidate")
            return True
        expect_equal(sender.hear(PATIENCE).get("code"), "peer-not-found", "why it did not arrive")
        refusals += 1
        return False
    fleet.until(arrived, "the subscription", 5)
    return refusals, waits
