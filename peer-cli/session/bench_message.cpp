#include "peer-cli/session/bench_message.hpp"

#include <algorithm>

#include "protocol/base/big_endian.hpp"

namespace nat::session {
namespace {

constexpr std::uint8_t version = 1, up = 1, down = 2;
constexpr std::size_t request_size = 7, refused_size = 2, report_size = 1 + 5 * 8 + 4;

class writer {
 public:
  template <class Integer>
  writer& put(Integer value) {
    out_.resize(out_.size() + sizeof value);
    store_be(out_, out_.size() - sizeof value, value);
    return *this;
  }
  writer& put(duration d) {
    return put(static_cast<std::uint64_t>(std::max<duration::rep>(
        std::chrono::duration_cast<std::chrono::microseconds>(d).count(), 0)));
  }
  [[nodiscard]] bytes take() { return std::move(out_); }

 private:
  bytes out_;
};

std::uint8_t type_of(const bench_message& m) {
  return static_cast<std::uint8_t>(m.index() + 1);
}

void fill(writer& to, const bench_request& m) {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(m.length).count();
  to.put(version)
      .put(static_cast<std::uint8_t>((m.up ? up : 0) | (m.down ? down : 0)))
      .put(static_cast<std::uint32_t>(std::clamp<std::int64_t>(ms, 0, 0xffff'ffff)));
}
void fill(writer& to, const bench_refused& m) {
  to.put(static_cast<std::uint8_t>(m.why));
}
void fill(writer& to, const bench_report& m) {
  to.put(m.seen.sent).put(m.seen.received).put(m.seen.sending).put(m.seen.receiving);
  to.put(m.seen.cpu).put(m.seen.path_changes);
}
void fill(writer&, const auto&) {}

// No duration beyond a day is believed: it would overflow where it is added up.
std::optional<duration> load_duration(byte_view from, std::size_t at) {
  const auto us = load_be<std::uint64_t>(from, at);
  if (us > 86'400'000'000) return std::nullopt;
  return std::chrono::microseconds{us};
}

std::optional<bench_message> read_request(byte_view from) {
  if (from.size() != request_size || from[1] != std::byte{version}) return std::nullopt;
  const auto directions = std::to_integer<unsigned>(from[2]);
  if (directions == 0 || directions > (up | down)) return std::nullopt;
  return bench_request{(directions & up) != 0, (directions & down) != 0,
                       std::chrono::milliseconds{load_be<std::uint32_t>(from, 3)}};
}

std::optional<bench_message> read_refused(byte_view from) {
  const auto why = from.size() == refused_size ? std::to_integer<unsigned>(from[1]) : 0;
  if (why < 1 || why > 3) return std::nullopt;
  return bench_refused{static_cast<bench_refusal>(why)};
}

std::optional<bench_message> read_report(byte_view from) {
  if (from.size() != report_size) return std::nullopt;
  const auto sending = load_duration(from, 17), receiving = load_duration(from, 25),
             cpu = load_duration(from, 33);
  if (!sending || !receiving || !cpu) return std::nullopt;
  return bench_report{{load_be<std::uint64_t>(from, 1), load_be<std::uint64_t>(from, 9), *sending,
                       *receiving, *cpu, load_be<std::uint32_t>(from, 41)}};
}

std::optional<bench_message> read_bare(byte_view from, bench_message what) {
  if (from.size() != 1) return std::nullopt;
  return what;
}

}  // namespace

bytes write(const bench_message& m) {
  if (const auto* const data = std::get_if<bench_data>(&m)) {
    bytes out(1 + data->size);
    out[0] = static_cast<std::byte>(type_of(m));
    return out;
  }
  writer to;
  to.put(type_of(m));
  std::visit([&](const auto& one) { fill(to, one); }, m);
  return to.take();
}

std::optional<bench_message> read_bench(byte_view from) {
  if (from.empty()) return std::nullopt;
  switch (std::to_integer<unsigned>(from[0])) {
    case 1:
      return read_request(from);
    case 2:
      return read_bare(from, bench_accepted{});
    case 3:
      return read_refused(from);
    case 4:
      return bench_data{from.size() - 1};
    case 5:
      return read_bare(from, bench_end{});
    case 6:
      return read_bare(from, bench_stop{});
    case 7:
      return read_report(from);
    default:
      return std::nullopt;
  }
}

}  // namespace nat::session
