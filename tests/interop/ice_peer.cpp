// Our ICE agent on plain UDP sockets, spoken to in lines of JSON, for tests against other stacks.
// Host candidates only; what a whole peer does besides stands in peer-cli.
//
//   ice_peer controlling|controlled ADDRESS...
//
// In:  {"do":"remote","ufrag":"…","password":"…"}   {"do":"candidate","candidate":"candidate:…"}
//      {"do":"end"}   {"do":"send","text":"…"}      the end of input ends the program
// Out: {"event":"local","ufrag":…,"password":…,"candidates":[…]}   {"event":"connected",…}
//      {"event":"received","text":…}   {"event":"disconnected"}   {"event":"failed"}

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/streambuf.hpp>
#include <iostream>
#include <istream>
#include <map>
#include <nlohmann/json.hpp>

#include "ice/agent.hpp"
#include "protocol/crypto/system_random.hpp"
#include "protocol/sdp/candidate.hpp"

namespace {

namespace asio = boost::asio;
using asio::ip::udp;
using nlohmann::json;

nat::time_point now() {
  return std::chrono::steady_clock::now();
}

void say(const json& message) {
  std::cout << message.dump() << std::endl;
}

nat::endpoint from_asio(const udp::endpoint& e) {
  return {*nat::parse_address(e.address().to_string()), e.port()};
}

udp::endpoint to_asio(const nat::endpoint& e) {
  return {asio::ip::make_address(nat::to_string(e.ip)), e.port};
}

std::string to_line(const nat::ice::candidate& c) {
  return nat::sdp::to_string({.foundation = c.foundation,
                              .proto = c.proto,
                              .priority = c.priority,
                              .host = nat::to_string(c.address.ip),
                              .port = c.address.port,
                              .related_host = {},
                              .related_port = {},
                              .tcp = {},
                              .ufrag = {}});
}

std::optional<nat::ice::candidate> from_line(const std::string& line) {
  const auto c = nat::sdp::parse_candidate(line);
  if (!c || c->proto != nat::transport::udp) return std::nullopt;
  const auto ip = nat::parse_address(c->host);
  if (!ip) return std::nullopt;
  const nat::endpoint at{*ip, c->port};
  return nat::ice::candidate{.kind = static_cast<nat::ice::candidate_kind>(c->type),
                             .address = at,
                             .base = at,
                             .priority = c->priority,
                             .foundation = c->foundation};
}

class peer {
 public:
  peer(asio::io_context& io, nat::ice::role role, const std::vector<std::string>& addresses)
      : io_(io),
        agent_({.initial_role = role,
                .local = {nat::random_text(random_, 8), nat::random_text(random_, 24)}},
               random_, now()),
        timer_(io),
        input_(io, 0) {
    json lines = json::array();
    for (const auto& address : addresses) lines.push_back(open(address));
    agent_.end_of_local(now());
    const auto& local = agent_.local_credentials();
    say({{"event", "local"},
         {"ufrag", local.ufrag},
         {"password", local.password},
         {"candidates", lines}});
    read_command();
    pump();
  }

 private:
  struct door {
    udp::socket socket;
    udp::endpoint from;
    std::array<std::byte, 2048> buffer;
  };

  std::string open(const std::string& address) {
    const udp::endpoint any{asio::ip::make_address(address), 0};
    auto owned = std::make_unique<door>(door{udp::socket(io_, any), {}, {}});
    const auto at = from_asio(owned->socket.local_endpoint());
    auto& opened = *(doors_[at] = std::move(owned));
    const nat::ice::candidate c{
        .address = at,
        .base = at,
        .priority = nat::ice::candidate_priority(
            nat::ice::candidate_kind::host, static_cast<std::uint16_t>(65'535 - doors_.size())),
        .foundation = nat::ice::make_foundation(nat::ice::candidate_kind::host, at.ip, {},
                                                nat::transport::udp)};
    agent_.add_local(c, now());
    receive(opened, at);
    return to_line(c);
  }

  void receive(door& d, nat::endpoint local) {
    d.socket.async_receive_from(asio::buffer(d.buffer), d.from,
                                [this, &d, local](auto error, auto size) {
                                  if (error == asio::error::operation_aborted) return;
                                  if (!error)
                                    take({nat::transport::udp, local, from_asio(d.from)},
                                         nat::byte_view(d.buffer).first(size));
                                  receive(d, local);
                                  pump();
                                });
  }

  void take(const nat::path& from, nat::byte_view datagram) {
    if (agent_.handle_datagram(from, datagram, now())) return;
    agent_.note_received(from, now());
    if (agent_.is_checked(from)) {
      say({{"event", "received"}, {"text", std::string(nat::as_text(datagram))}});
    }
  }

  void read_command() {
    asio::async_read_until(input_, pending_, '\n', [this](auto error, auto) {
      if (error) return io_.stop();
      std::istream lines(&pending_);
      std::string line;
      std::getline(lines, line);
      obey(json::parse(line));
      read_command();
      pump();
    });
  }

  void obey(const json& command) {
    const auto what = command.at("do").get<std::string>();
    if (what == "remote") {
      agent_.set_remote({command.at("ufrag"), command.at("password")}, now());
    } else if (what == "candidate") {
      if (const auto c = from_line(command.at("candidate"))) agent_.add_remote(*c, now());
    } else if (what == "end") {
      agent_.end_of_remote(now());
    } else if (what == "send") {
      const auto via = agent_.selected();
      if (!via) throw std::runtime_error("told to send without a path");
      send({*via, nat::to_bytes(nat::as_bytes(command.at("text").get<std::string>())), 0, {}});
      agent_.note_sent(*via, now());
    }
  }

  void send(const nat::transmit& t) {
    const auto from = doors_.find(t.via.local);
    boost::system::error_code error;
    if (from != doors_.end()) {
      from->second->socket.send_to(asio::buffer(t.data), to_asio(t.via.remote), 0, error);
    }
    if (error) agent_.handle_send_failure(t.via, now());
  }

  void tell(const nat::ice::event& event) {
    if (const auto* c = std::get_if<nat::ice::connected>(&event)) {
      say({{"event", "connected"},
           {"local", nat::to_string(c->via.local)},
           {"remote", nat::to_string(c->via.remote)},
           {"remote_kind", nat::ice::to_string(c->remote.kind)},
           {"role", agent_.role() == nat::ice::role::controlling ? "controlling" : "controlled"},
           {"nominated", c->nominated}});
    } else {
      const bool lost = std::holds_alternative<nat::ice::disconnected>(event);
      say({{"event", lost ? "disconnected" : "failed"}});
    }
  }

  // The agent's drive loop: send what it wants sent, say what happened, sleep until it is due.
  void pump() {
    while (const auto t = agent_.poll_transmit()) send(*t);
    while (const auto e = agent_.poll_event()) tell(*e);
    const auto due = agent_.next_timeout();
    if (!due) return;
    timer_.expires_at(*due);
    timer_.async_wait([this](auto error) {
      if (error) return;
      agent_.handle_timeout(now());
      pump();
    });
  }

  asio::io_context& io_;
  nat::crypto::system_random random_;
  nat::ice::agent agent_;
  asio::steady_timer timer_;
  asio::posix::stream_descriptor input_;
  asio::streambuf pending_;
  std::map<nat::endpoint, std::unique_ptr<door>> doors_;
};

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.size() < 2) {
    std::cerr << "usage: ice_peer controlling|controlled ADDRESS...\n";
    return 2;
  }
  try {
    asio::io_context io;
    const peer one(
        io,
        arguments[0] == "controlling" ? nat::ice::role::controlling : nat::ice::role::controlled,
        {arguments.begin() + 1, arguments.end()});
    io.run();
  } catch (const std::exception& e) {
    std::cerr << "ice_peer: " << e.what() << '\n';
    return 1;
  }
  return 0;
}
