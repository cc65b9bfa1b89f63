#include "stun/server.hpp"

#include <algorithm>
#include <array>

#include "stun/message.hpp"

namespace nat::stun {
namespace {

constexpr int bad_request = 400, unknown_attribute = 420;
constexpr std::size_t max_listed = 8;
using type_list = std::array<std::uint16_t, max_listed>;

std::optional<byte_view> finish(message_writer& writer, const message_view& request) noexcept {
  return request.has<attr::fingerprint>() ? writer.finish_fingerprint() : writer.finish();
}

std::optional<byte_view> refuse(const message_view& request, int code,
                                std::span<const std::uint16_t> unknown, byte_span out) noexcept {
  message_writer writer(out, binding_error, request.id());
  writer.put<attr::error_code>({code, {}});
  if (!unknown.empty()) writer.put_unknown(unknown);
  return finish(writer, request);
}

std::optional<message_view> binding_request_in(byte_view datagram) noexcept {
  const auto view = message_view::parse(datagram);
  if (!view || view->type() != binding_request) return std::nullopt;
  return *view;
}

// The attributes of RFC 5780, for a server that does not do them.
std::size_t not_understood(const message_view& request, std::span<std::uint16_t> out) noexcept {
  auto count = request.unknown_required(out);
  const auto list = [&]<attribute A>() {
    if (count < out.size() && request.has<A>()) out[count++] = A::type;
  };
  list.operator()<attr::change_request>();
  list.operator()<attr::response_port>();
  list.operator()<attr::padding>();
  return count;
}

// What a request asks for beyond a plain answer; nullopt: it makes no sense.
struct wishes {
  change_value change{false, false};
  std::optional<std::uint16_t> port;
  std::optional<std::size_t> padding;
};

std::optional<wishes> read_wishes(const message_view& request) noexcept {
  wishes out;
  if (request.has<attr::change_request>()) {
    const auto change = request.get<attr::change_request>();
    if (!change) return std::nullopt;
    out.change = *change;
  }
  if (request.has<attr::response_port>()) {
    out.port = request.get<attr::response_port>();
    if (!out.port || *out.port == 0) return std::nullopt;
  }
  if (const auto padding = request.get<attr::padding>()) {
    if (out.port) return std::nullopt;
    out.padding = std::min(padding->size(), max_answer_padding);
  }
  return out;
}

// How many octets an answer may have: half again the request, both as IP datagrams.
std::size_t allowance(std::size_t request, bool v4) noexcept {
  const std::size_t headers = v4 ? 20 + 8 : 40 + 8;
  return (request + headers) * 3 / 2 - headers;
}

// The success answer: as many of the addresses as the request has paid for, then padding.
std::optional<byte_view> write_success(const message_view& request, const endpoint& mapped,
                                       const endpoint& other, const endpoint& origin,
                                       std::optional<std::size_t> padding, byte_span out) noexcept {
  static constexpr std::array<std::byte, max_answer_padding> zeros{};
  const std::size_t seal = request.has<attr::fingerprint>() ? 8 : 0;
  const std::size_t each = other.ip.v4 ? 12 : 24;
  const auto allowed = allowance(request.raw().size(), mapped.ip.v4);
  auto size = header_size + (mapped.ip.v4 ? 12 : 24) + seal;
  const auto fits = [&](std::size_t more) {
    if (size + more > allowed) return false;
    size += more;
    return true;
  };
  message_writer writer(out, binding_success, request.id());
  writer.put<attr::xor_mapped_address>(mapped);
  if (fits(each)) writer.put<attr::other_address>(other);
  if (fits(each)) writer.put<attr::response_origin>(origin);
  if (padding && fits(4)) {
    const auto room = (allowed - size) & ~std::size_t{3};
    writer.put<attr::padding>(byte_view(zeros).first(std::min(*padding, room)));
  }
  return finish(writer, request);
}

}  // namespace

std::optional<byte_view> answer(byte_view request, const endpoint& from, byte_span out) noexcept {
  const auto view = binding_request_in(request);
  if (!view) return std::nullopt;
  type_list unknown;
  if (const auto count = not_understood(*view, unknown); count != 0) {
    return refuse(*view, unknown_attribute, std::span(unknown).first(count), out);
  }
  message_writer writer(out, binding_success, view->id());
  writer.put<attr::xor_mapped_address>({unmapped(from.ip), from.port});
  return finish(writer, *view);
}

std::optional<behavior_reply> answer(byte_view request, const endpoint& from, const server_door& at,
                                     const behavior_addresses& ours, byte_span out) noexcept {
  const auto view = binding_request_in(request);
  if (!view) return std::nullopt;
  const auto reply = [&](std::optional<byte_view> data, const server_door& through,
                         std::uint16_t port) -> std::optional<behavior_reply> {
    if (!data) return std::nullopt;
    return behavior_reply{*data, through, {from.ip, port}};
  };
  type_list unknown;
  if (const auto count = view->unknown_required(unknown); count != 0) {
    const auto listed = std::span(unknown).first(count);
    return reply(refuse(*view, unknown_attribute, listed, out), at, from.port);
  }
  const auto asked = read_wishes(*view);
  if (!asked) return reply(refuse(*view, bad_request, {}, out), at, from.port);

  const server_door through{at.alternate_ip != asked->change.change_ip,
                            at.alternate_port != asked->change.change_port};
  const auto data = write_success(*view, {unmapped(from.ip), from.port},
                                  ours.at({!at.alternate_ip, !at.alternate_port}), ours.at(through),
                                  asked->padding, out);
  return reply(data, through, asked->port.value_or(from.port));
}

}  // namespace nat::stun
