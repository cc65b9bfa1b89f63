#pragma once

// A TURN server small enough to read in one go, for tests of the client: long-term credentials,
// one allocation, permissions and channels that expire in virtual time, and errors on demand.
// What the client must never do is counted.

#include <array>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "protocol/base/big_endian.hpp"
#include "protocol/base/time.hpp"
#include "protocol/crypto/hmac.hpp"
#include "stun/message.hpp"
#include "stun/turn/channel_data.hpp"
#include "tests/check.hpp"

namespace nat::test {

using namespace std::chrono_literals;

struct scripted_server {
  // What it is like.
  std::string username = "quiet-otter", password = "secret", realm = "example.org";
  std::string nonce = "nonce-1";
  bytes algorithms{};  // PASSWORD-ALGORITHMS to offer
  bool strip = false;  // …but not to send
  bool open = false;   // no credentials asked for
  bool sign_errors = true;
  int unsigned_error = 0;  // what the first request gets instead of a challenge
  bool gives_v6 = true;
  std::uint32_t lifetime = 600;
  endpoint relay_v4 = *parse_endpoint("198.51.100.9:50000");
  endpoint relay_v6 = *parse_endpoint("[2001:db8:9::9]:50000");
  endpoint mapped = *parse_endpoint("203.0.113.7:40112");
  std::optional<endpoint> alternate{};
  std::string alternate_domain{};
  // Error codes that the next authenticated requests of a method get; 0: none for that one.
  std::map<stun::method, std::deque<int>> errors{};
  // Peers that are refused, by code.
  std::map<address, int> forbidden{};

  // What it has seen.
  struct seen_request {
    stun::method method;
    bool is_signed, sha256, userhash, dont_fragment;
    std::optional<std::uint32_t> lifetime;
    std::vector<endpoint> peers;
    std::optional<std::uint8_t> family, additional_family;
    time_point at;
    int answered;  // 0: success
  };
  std::vector<seen_request> seen{};
  struct delivery {
    endpoint peer;
    bytes data;
    bool by_channel;
  };
  std::vector<delivery> delivered{};
  int dropped = 0;  // data to peers without a permission, or by channels not bound
  int bindings = 0;
  int last_code = 0;  // of the latest answer; 0: success
  bool allocated = false;
  time_point expires{};
  std::map<address, time_point> permissions{};
  std::map<std::uint16_t, std::pair<endpoint, time_point>> channels{};

  // The answer to one message, if it has one.
  std::optional<bytes> handle(byte_view wire, time_point now) {
    if (allocated && now >= expires) allocated = false;
    if (!wire.empty() && std::to_integer<unsigned>(wire[0]) >= 64) return take_channel(wire, now);
    const auto view = stun::message_view::parse(wire);
    REQUIRE(view.has_value());
    if (view->type().method == stun::method::binding) {
      ++bindings;
      return std::nullopt;
    }
    if (view->type().method == stun::method::send) return take_send(*view, now);
    REQUIRE(view->type().kind == stun::kind::request);
    std::array<std::uint16_t, 4> unknown;
    CHECK(view->unknown_required(unknown) == 0);
    note(*view, now);
    const auto answer = decide(*view, now);
    seen.back().answered = last_code;
    return answer;
  }

  // What the client gets when `peer` sends.
  [[nodiscard]] std::optional<bytes> from_peer(const endpoint& peer, std::string_view data,
                                               time_point now) {
    if (!allocated || !permitted(peer.ip, now)) return std::nullopt;
    std::array<std::byte, 2048> buffer;
    for (const auto& [number, bound] : channels) {
      if (bound.first != peer || now >= bound.second) continue;
      return to_bytes(*turn::write_channel_data(buffer, number, as_bytes(data), false));
    }
    return data_indication(peer, data);
  }

  [[nodiscard]] static bytes data_indication(const endpoint& peer, std::string_view data) {
    std::array<std::byte, 2048> buffer;
    stun::message_writer out(buffer, {stun::method::data, stun::kind::indication}, {});
    return to_bytes(*out.put<stun::attr::xor_peer_address>(peer)
                         .put<stun::attr::data>(as_bytes(data))
                         .finish());
  }

  [[nodiscard]] bytes key() const {
    const std::initializer_list<byte_view> parts{as_bytes(username), as_bytes(":"), as_bytes(realm),
                                                 as_bytes(":"), as_bytes(password)};
    const bool sha256 = !algorithms.empty() && load_be<std::uint16_t>(algorithms) == 2;
    return sha256 ? to_bytes(crypto::sha256(parts)) : to_bytes(crypto::md5(parts));
  }

  [[nodiscard]] std::size_t count(stun::method method) const {
    std::size_t n = 0;
    for (const auto& r : seen) n += r.method == method ? 1 : 0;
    return n;
  }

 private:
  [[nodiscard]] bool permitted(const address& peer, time_point now) const {
    const auto at = permissions.find(peer);
    return at != permissions.end() && now < at->second;
  }

  std::optional<bytes> take_channel(byte_view wire, time_point now) {
    const auto message = turn::parse_channel_data(wire);
    REQUIRE(message.has_value());
    const auto at = channels.find(message->number);
    if (!allocated || at == channels.end() || now >= at->second.second) {
      ++dropped;
    } else {
      delivered.push_back({at->second.first, to_bytes(message->payload), true});
    }
    return std::nullopt;
  }

  std::optional<bytes> take_send(const stun::message_view& view, time_point now) {
    const auto peer = view.get<stun::attr::xor_peer_address>();
    const auto data = view.get<stun::attr::data>();
    REQUIRE(peer.has_value());
    REQUIRE(data.has_value());
    if (!allocated || !permitted(peer->ip, now)) {
      ++dropped;
    } else {
      delivered.push_back({*peer, to_bytes(*data), false});
    }
    return std::nullopt;
  }

  void note(const stun::message_view& view, time_point now) {
    namespace attr = stun::attr;
    seen_request r{.method = view.type().method,
                   .is_signed = view.has<attr::message_integrity>() ||
                                view.has<attr::message_integrity_sha256>(),
                   .sha256 = view.has<attr::message_integrity_sha256>(),
                   .userhash = view.has<attr::userhash>(),
                   .dont_fragment = view.has<attr::dont_fragment>(),
                   .lifetime = view.get<attr::lifetime>(),
                   .peers = {},
                   .family = view.get<attr::requested_address_family>(),
                   .additional_family = view.get<attr::additional_address_family>(),
                   .at = now,
                   .answered = 0};
    while (const auto peer = view.get_nth<attr::xor_peer_address>(r.peers.size())) {
      r.peers.push_back(*peer);
    }
    seen.push_back(std::move(r));
  }

  std::optional<bytes> decide(const stun::message_view& view, time_point now) {
    if (!open) {
      if (const int early = std::exchange(unsigned_error, 0); early != 0) {
        return error(view, early, false);
      }
      if (!seen.back().is_signed) return error(view, 401, false);
      if (view.get<stun::attr::nonce>() != std::string_view(nonce)) return error(view, 438, false);
      if (!view.authenticate(key())) return error(view, 401, false);
    }
    if (auto& planned = errors[view.type().method]; !planned.empty()) {
      const int code = planned.front();
      planned.pop_front();
      if (code != 0) return error(view, code, code != 401 && code != 438 && !open);
    }
    if (view.type().method == stun::method::allocate) return allocate(view, now);
    if (!allocated) return error(view, 437, !open);
    if (view.type().method == stun::method::refresh) return refresh(view, now);
    for (const auto& peer : seen.back().peers) {
      if (const auto at = forbidden.find(peer.ip); at != forbidden.end()) {
        return error(view, at->second, !open);
      }
    }
    for (const auto& peer : seen.back().peers) permissions[peer.ip] = now + 300s;
    if (view.type().method == stun::method::channel_bind) {
      const auto number = view.get<stun::attr::channel_number>();
      REQUIRE(number.has_value());
      REQUIRE(turn::is_channel_number(*number));
      REQUIRE(seen.back().peers.size() == 1);
      channels[*number] = {seen.back().peers[0], now + 600s};
    } else {
      REQUIRE(!seen.back().peers.empty());
    }
    return success(view, [](auto&) {});
  }

  std::optional<bytes> allocate(const stun::message_view& view, time_point now) {
    CHECK(view.get<stun::attr::requested_transport>() == std::uint8_t{17});
    if (alternate) return error(view, 300, !open);
    allocated = true;
    expires = now + std::chrono::seconds(lifetime);
    const auto& asked = seen.back();
    return success(view, [&](stun::message_writer& out) {
      if (asked.family != std::uint8_t{2}) out.put<stun::attr::xor_relayed_address>(relay_v4);
      const bool wants_v6 =
          asked.family == std::uint8_t{2} || asked.additional_family == std::uint8_t{2};
      if (wants_v6 && gives_v6) out.put<stun::attr::xor_relayed_address>(relay_v6);
      if (wants_v6 && !gives_v6) {
        out.put<stun::attr::address_error_code>(from_hex("02 00 04 28"));
      }
      out.put<stun::attr::xor_mapped_address>(mapped).put<stun::attr::lifetime>(lifetime);
    });
  }

  std::optional<bytes> refresh(const stun::message_view& view, time_point now) {
    const auto wanted = seen.back().lifetime.value_or(lifetime);
    allocated = wanted != 0;
    expires = now + std::chrono::seconds(lifetime);
    return success(view, [&](stun::message_writer& out) {
      out.put<stun::attr::lifetime>(wanted == 0 ? 0 : lifetime);
    });
  }

  template <class Fill>
  std::optional<bytes> success(const stun::message_view& view, Fill&& fill) {
    last_code = 0;
    std::array<std::byte, 2048> buffer;
    stun::message_writer out(buffer, {view.type().method, stun::kind::success}, view.id());
    fill(out);
    return end(out, !open);
  }

  std::optional<bytes> error(const stun::message_view& view, int code, bool sign) {
    last_code = code;
    std::array<std::byte, 2048> buffer;
    stun::message_writer out(buffer, {view.type().method, stun::kind::error}, view.id());
    out.put<stun::attr::error_code>({code, "as the script says"});
    if (code == 401 || code == 438) {
      out.put<stun::attr::realm>(realm).put<stun::attr::nonce>(nonce);
      if (!algorithms.empty() && !strip) out.put<stun::attr::password_algorithms>(algorithms);
    }
    if (code == 300 && alternate) {
      out.put<stun::attr::alternate_server>(*alternate);
      if (!alternate_domain.empty()) out.put<stun::attr::alternate_domain>(alternate_domain);
    }
    return end(out, sign && sign_errors);
  }

  std::optional<bytes> end(stun::message_writer& out, bool sign) {
    const auto kind = algorithms.empty() ? stun::integrity::sha1 : stun::integrity::sha256;
    const auto wire = sign ? out.finish_signed(key(), kind) : out.finish_fingerprint();
    REQUIRE(wire.has_value());
    return to_bytes(*wire);
  }
};

}  // namespace nat::test
