#include "stun/server.hpp"

#include <array>

#include "stun/message.hpp"

namespace nat::stun {
namespace {

constexpr int unknown_attribute = 420;
constexpr std::size_t max_listed = 8;

// Comprehension-required attributes that this server does not act on.
std::size_t not_understood(const message_view& request, std::span<std::uint16_t> out) noexcept {
  auto count = request.unknown_required(out);
  const auto refuse = [&]<attribute A>() {
    if (count < out.size() && request.has<A>()) out[count++] = A::type;
  };
  refuse.operator()<attr::change_request>();
  refuse.operator()<attr::response_port>();
  refuse.operator()<attr::padding>();
  return count;
}

}  // namespace

std::optional<byte_view> answer(byte_view request, const endpoint& from, byte_span out) noexcept {
  const auto view = message_view::parse(request);
  if (!view || view->type() != binding_request) return std::nullopt;
  std::array<std::uint16_t, max_listed> unknown;
  const auto count = not_understood(*view, unknown);
  message_writer writer(out, count == 0 ? binding_success : binding_error, view->id());
  if (count == 0) {
    writer.put<attr::xor_mapped_address>({unmapped(from.ip), from.port});
  } else {
    writer.put<attr::error_code>({unknown_attribute, {}})
        .put_unknown(std::span(unknown).first(count));
  }
  return view->has<attr::fingerprint>() ? writer.finish_fingerprint() : writer.finish();
}

}  // namespace nat::stun
