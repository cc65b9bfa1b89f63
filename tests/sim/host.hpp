#pragma once

// A host: interfaces, sockets, and the nodes that own them. A datagram to a port that nobody bound
// is answered by ICMP. TCP is modelled as far as message framing protocols need it: connect,
// accept, whole messages in order, close; a lost segment arrives late.

#include <map>
#include <memory>
#include <vector>

#include "tests/sim/network.hpp"
#include "tests/sim/node.hpp"

namespace nat::sim {

class host {
 public:
  explicit host(fabric& f) : fabric_(f) {}

  // Returns the new interface's addresses: IPv4 first, as far as asked for.
  std::vector<address> add_interface(network&, const link_rules&, bool v4, bool v6);
  [[nodiscard]] std::vector<address> addresses() const;
  [[nodiscard]] address v4() const;  // of the first interface that has one
  [[nodiscard]] address v6() const;
  // By any of the interface's addresses.
  [[nodiscard]] link_rules& link(const address&);
  void set_up(const address&, bool up);

  // Port 0: a free one from 40000 on.
  endpoint bind(node&, const address&, std::uint16_t port = 0);
  void close(const endpoint&);
  void listen(node&, const endpoint&);
  // Answered by handle_stream_opened or handle_stream_closed of the node. Returns the local end.
  endpoint connect(node&, const address& local, const endpoint& remote, std::uint32_t id);
  void disconnect(const path&);

  void send(node& from, const transmit&);
  bool answers_closed_ports = true;

 private:
  struct interface final : port {
    interface(host& h, network& n, const link_rules& l) : port(n, l), owner(h) {}
    void receive(packet p) override { owner.receive(*this, std::move(p)); }
    host& owner;
    std::vector<address> addresses;
  };
  struct stream {
    node* owner;
    std::uint32_t id;
    std::uint64_t sent = 0, received = 0;
    std::map<std::uint64_t, packet> early{};
  };
  using connection = std::pair<endpoint, endpoint>;  // local, remote

  void receive(interface&, packet);
  void receive_datagram(interface&, const packet&);
  void receive_segment(interface&, packet);
  void accept(const packet&);
  void deliver(std::map<connection, stream>::iterator, const packet&);
  void closed(std::map<connection, stream>::iterator);
  void send_segment(const connection&, segment, byte_view data, std::uint64_t sequence);
  // False: no route.
  bool emit(packet);
  [[nodiscard]] interface* interface_of(const address&) const;
  [[nodiscard]] std::uint16_t free_port(const address&) const;

  fabric& fabric_;
  std::vector<std::unique_ptr<interface>> interfaces_;
  std::map<endpoint, node*> sockets_;
  std::map<endpoint, node*> listeners_;
  std::map<connection, stream> streams_;
};

}  // namespace nat::sim
