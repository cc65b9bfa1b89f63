// A browser's side of the tests: registers at the signaling server by itself, offers or answers, and
// carries a pipe over one data channel. Evaluated in a blank page; Python calls `rendezvous`.

class Rendezvous {
  constructor(server, id) {
    this.server = server;
    this.id = id;
    this.offers = [];      // that nobody has taken yet
    this.chunks = [];      // received
    this.early = [];       // candidates from before the remote description
    this.finished = new Promise((resolve) => { this.onFinished = resolve; });
    this.gone = new Promise((resolve) => { this.onGone = resolve; });
  }

  register() {
    return new Promise((resolve, reject) => {
      this.socket = new WebSocket(this.server);
      this.socket.onopen = () => this.tell({type: "register", peer_id: this.id});
      this.socket.onerror = () => reject(new Error("no signaling server"));
      this.socket.onmessage = ({data}) => {
        const message = JSON.parse(data);
        if (message.type === "registered") resolve(this.registered = message);
        else this.take(message).catch((error) => console.log("in " + data + ": " + error));
      };
    });
  }

  // Nothing but the relays that the signaling server announced.
  useRelaysOnly() {
    this.configuration = {iceServers: this.registered.ice_servers, iceTransportPolicy: "relay"};
  }

  tell(message) { this.socket.send(JSON.stringify(message)); }

  async take(message) {
    if (message.type === "offer") {
      this.offers.push(message);
      if (this.onOffer) this.onOffer();
    } else if (message.type === "answer") {
      await this.connection.setRemoteDescription({type: "answer", sdp: message.sdp});
      await this.addEarly();
    } else if (message.type === "candidate") {
      if (this.connection && this.connection.remoteDescription) await this.add(message.candidate);
      else this.early.push(message.candidate);
    } else if (message.type === "error") {
      console.log("refused: " + JSON.stringify(message));
    }
  }

  add(candidate) { return this.connection.addIceCandidate(candidate || undefined); }

  async addEarly() { for (const candidate of this.early.splice(0)) await this.add(candidate); }

  open(target, session) {
    this.connection = new RTCPeerConnection(this.configuration);
    this.connection.onicecandidate = ({candidate}) =>
      this.tell({type: "candidate", target, candidate: candidate && candidate.toJSON(), session});
  }

  // Resolves when the channel is open.
  async offer(target, options) {
    this.open(target);
    const opened = this.use(this.connection.createDataChannel(options.label || "pipe", options));
    await this.connection.setLocalDescription();
    this.tell({type: "offer", target, sdp: this.connection.localDescription.sdp});
    await opened;
  }

  async accept() {
    if (!this.offers.length) await new Promise((resolve) => { this.onOffer = resolve; });
    const offer = this.offers.shift();
    this.open(offer.from, offer.session);
    const opened = new Promise((resolve) => {
      this.connection.ondatachannel = ({channel}) => resolve(this.use(channel));
    });
    await this.connection.setRemoteDescription({type: "offer", sdp: offer.sdp});
    await this.connection.setLocalDescription();
    this.tell({type: "answer", target: offer.from, session: offer.session,
               sdp: this.connection.localDescription.sdp});
    await this.addEarly();
    await opened;
    return this.channel.label;
  }

  use(channel) {
    this.channel = channel;
    channel.binaryType = "arraybuffer";
    channel.onmessage = ({data}) => {
      if (typeof data !== "string" && data.byteLength === 0) this.onFinished();
      else this.chunks.push(typeof data === "string" ? new TextEncoder().encode(data)
                                                     : new Uint8Array(data));
      if (this.onHeard) this.onHeard();
    };
    channel.onclose = () => this.onGone();
    channel.bufferedAmountLowThreshold = 1 << 18;
    if (channel.readyState === "open") return Promise.resolve();
    return new Promise((resolve) => { channel.onopen = resolve; });
  }

  async room() {
    if (this.channel.bufferedAmount <= 1 << 20) return;
    await new Promise((resolve) => { this.channel.onbufferedamountlow = resolve; });
  }

  sendText(text) { this.channel.send(text); }

  // The tests' pattern (peers.py), `size` bytes of it, in messages of `chunk`.
  async sendPattern(size, chunk) {
    const data = Rendezvous.pattern(size);
    for (let at = 0; at < size; at += chunk) {
      await this.room();
      this.channel.send(data.subarray(at, Math.min(at + chunk, size)));
    }
  }

  finish() { this.channel.send(new ArrayBuffer(0)); }

  size() { return this.chunks.reduce((sum, chunk) => sum + chunk.length, 0); }

  received() {
    const whole = new Uint8Array(this.size());
    let at = 0;
    for (const chunk of this.chunks) { whole.set(chunk, at); at += chunk.length; }
    return whole;
  }

  // Resolves once `size` bytes are here.
  async heard(size) {
    while (this.size() < size) await new Promise((resolve) => { this.onHeard = resolve; });
  }

  text() { return new TextDecoder().decode(this.received()); }

  // Size and Adler-32 (RFC 1950, 8.2).
  summary() {
    const data = this.received();
    let a = 1, b = 0;
    for (let i = 0; i < data.length; ++i) { a = (a + data[i]) % 65521; b = (b + a) % 65521; }
    return {size: data.length, adler32: b * 65536 + a};
  }

  // What the connection's own statistics say of its path: the pair in use.
  async path() {
    const reports = new Map();
    (await this.connection.getStats()).forEach((report) => reports.set(report.id, report));
    for (const report of reports.values()) {
      if (report.type !== "transport" || !report.selectedCandidatePairId) continue;
      const pair = reports.get(report.selectedCandidatePairId);
      return {local: reports.get(pair.localCandidateId).candidateType,
              remote: reports.get(pair.remoteCandidateId).candidateType,
              remoteAddress: reports.get(pair.remoteCandidateId).address};
    }
    return null;
  }

  close() {
    if (this.connection) this.connection.close();
    this.socket.close();
  }

  static pattern(size) {
    const period = 65521;
    const out = new Uint8Array(size);
    for (let i = 0; i < Math.min(size, period); ++i) out[i] = (i * i * 31 + i * 7) & 255;
    for (let at = period; at < size; at += period) out.set(out.subarray(0, Math.min(period, size - at)), at);
    return out;
  }
}
