"""libnice (by GObject introspection) against our ICE agent: both roles, both nomination modes."""

import asyncio
import ctypes
import threading

import harness

harness.require(modules=["gi"], programs=["ip"], ours=["ice_peer", "signaling-server"])

import gi  # noqa: E402

try:
    gi.require_version("Nice", "0.1")
    from gi.repository import GLib, Nice  # noqa: E402
except (ImportError, ValueError):
    harness.require(modules=["gi.repository.Nice"])


# Introspection leaves nice_agent_attach_recv() out, so it is called by its C name.
ON_RECEIVE = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint, ctypes.c_uint,
                              ctypes.c_void_p, ctypes.c_void_p)
attach_recv = ctypes.CDLL("libnice.so.10").nice_agent_attach_recv
attach_recv.argtypes = [ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint, ctypes.c_void_p, ON_RECEIVE,
                        ctypes.c_void_p]


class NiceAgent:
    """One NiceAgent with one stream, the default GLib loop on a thread of its own."""

    def __init__(self, controlling, regular, relay=None):
        self._loop = asyncio.get_running_loop()
        self._main = GLib.MainLoop.new(None, False)
        self.gathered = self._loop.create_future()
        self.ready = self._loop.create_future()
        self.received = asyncio.Queue()
        flags = Nice.AgentOption.REGULAR_NOMINATION if regular else Nice.AgentOption.NONE
        self._agent = Nice.Agent.new_full(GLib.MainContext.default(), Nice.Compatibility.RFC5245, flags)
        self._agent.props.controlling_mode = controlling
        self._agent.props.ice_tcp = False
        self._agent.props.upnp = False
        self._agent.connect("candidate-gathering-done", self._on_gathered)
        self._agent.connect("component-state-changed", self._on_state)
        self._stream = self._agent.add_stream(1)
        if relay is not None:
            self._agent.props.force_relay = True
            self._agent.set_relay_info(self._stream, 1, *relay, Nice.RelayType.UDP)
        self._on_receive_c = ON_RECEIVE(self._on_receive)
        attach_recv(hash(self._agent) & (2**64 - 1), self._stream, 1, None, self._on_receive_c, None)
        self._thread = threading.Thread(target=self._main.run, daemon=True)
        self._thread.start()
        self._agent.gather_candidates(self._stream)

    def _resolve(self, future, value):
        self._loop.call_soon_threadsafe(
            lambda: future.done() or future.set_result(value))

    def _on_gathered(self, *_):
        self._resolve(self.gathered, True)

    def _on_state(self, _agent, _stream, _component, state):
        if state == Nice.ComponentState.READY:
            self._resolve(self.ready, True)
        elif state == Nice.ComponentState.FAILED:
            self._resolve(self.ready, False)

    def _on_receive(self, _agent, _stream, _component, size, data, _user):
        self._loop.call_soon_threadsafe(self.received.put_nowait, ctypes.string_at(data, size))

    def local(self):
        """ufrag, password and candidate lines."""
        _, ufrag, password = self._agent.get_local_credentials(self._stream)
        candidates = self._agent.get_local_candidates(self._stream, 1)
        return ufrag, password, [self._agent.generate_local_candidate_sdp(c) for c in candidates]

    def set_remote(self, ufrag, password, lines):
        self._agent.set_remote_credentials(self._stream, ufrag, password)
        candidates = [self._agent.parse_remote_candidate_sdp(self._stream, "a=" + line)
                      for line in lines]
        self._agent.set_remote_candidates(self._stream, 1, candidates)

    def send(self, text):
        self._agent.send(self._stream, 1, len(text), text)

    def close(self):
        self._agent.remove_stream(self._stream)
        self._main.quit()
        self._thread.join()


class Libnice(harness.TestCase):
    async def connect(self, our_role, they_control, regular, ours_first, relay=None):
        ours = await self.launch(harness.BIN / "ice_peer", our_role, harness.HOST, harness.HOST6)
        local = await ours.event("local")
        theirs = NiceAgent(they_control, regular, relay)
        self.addCleanup(theirs.close)
        await theirs.gathered
        ufrag, password, lines = theirs.local()
        self.assertTrue(lines)

        def tell_ours():
            ours.tell(do="remote", ufrag=ufrag, password=password)
            for line in lines:
                ours.tell(do="candidate", candidate=line)
            ours.tell(do="end")

        if ours_first:
            tell_ours()
        theirs.set_remote(local["ufrag"], local["password"], local["candidates"])
        if not ours_first:
            tell_ours()

        connected = await ours.event("connected")
        self.assertTrue(await theirs.ready, "libnice: component failed")
        ours.tell(do="send", text="from us")
        self.assertEqual(await theirs.received.get(), b"from us")
        theirs.send("from them")
        self.assertEqual((await ours.event("received"))["text"], "from them")
        return connected

    async def test_we_control(self):
        for regular in (False, True):
            for ours_first in (True, False):
                with self.subTest(regular=regular, ours_first=ours_first):
                    connected = await self.connect("controlling", False, regular, ours_first)
                    self.assertEqual(connected["role"], "controlling")

    async def test_they_control(self):
        for regular in (False, True):
            for ours_first in (True, False):
                with self.subTest(regular=regular, ours_first=ours_first):
                    connected = await self.connect("controlled", True, regular, ours_first)
                    self.assertEqual(connected["role"], "controlled")

    async def test_role_conflict(self):
        await self.connect("controlling", True, False, True)
        await self.connect("controlled", False, False, True)

    async def test_by_our_relay(self):
        await harness.start_relay(self)
        relay = (harness.HOST, 3478, *harness.relay_credentials())
        for our_role, they_control in (("controlling", False), ("controlled", True)):
            connected = await self.connect(our_role, they_control, True, True, relay)
            self.assertIn(int(connected["remote"].rpartition(":")[2]), harness.RELAY_PORTS)


harness.main()
