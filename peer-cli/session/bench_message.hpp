#pragma once

// What the two ends of a bench say to each other, over one reliable, ordered channel. A binary
// message is one octet that tells which, and its fields, big endian:
//
//   asker   request   1  version 1, directions 1 (bit 0 up, bit 1 down), milliseconds 4
//   other   accepted  2
//   other   refused   3  reason 1
//   both    data      4  any octets
//   both    end       5                 of this side's data
//   asker   stop      6                 end before the time is over
//   other   report    7  what this end saw: sent, received, and in
//                       microseconds sending, receiving, cpu: 8 octets each; path changes 4
//
// "up" is from the asker. Anything else, and any other size, is none of these.

#include <cstdint>
#include <optional>
#include <variant>

#include "protocol/base/bytes.hpp"
#include "protocol/base/time.hpp"

namespace nat::session {

inline constexpr char bench_label[] = "bench";

// One end's view of a run. Octets are payload of data messages.
struct bench_view {
  std::uint64_t sent = 0, received = 0;
  duration sending{};    // from the first octet until the other end had all
  duration receiving{};  // from the first octet to the end
  duration cpu{};        // of the whole process while the run went on
  std::uint32_t path_changes = 0;
  bool operator==(const bench_view&) const = default;
};

enum class bench_refusal : std::uint8_t { busy = 1, too_long = 2, malformed = 3 };

struct bench_request {
  bool up, down;
  duration length;  // whole milliseconds
  bool operator==(const bench_request&) const = default;
};
struct bench_accepted {
  bool operator==(const bench_accepted&) const = default;
};
struct bench_refused {
  bench_refusal why;
  bool operator==(const bench_refused&) const = default;
};
struct bench_data {
  std::size_t size;  // of the octets after the first
  bool operator==(const bench_data&) const = default;
};
struct bench_end {
  bool operator==(const bench_end&) const = default;
};
struct bench_stop {
  bool operator==(const bench_stop&) const = default;
};
struct bench_report {
  bench_view seen;
  bool operator==(const bench_report&) const = default;
};
using bench_message = std::variant<bench_request, bench_accepted, bench_refused, bench_data,
                                   bench_end, bench_stop, bench_report>;

// Data is written as zeros.
[[nodiscard]] bytes write(const bench_message&);
[[nodiscard]] std::optional<bench_message> read_bench(byte_view);

}  // namespace nat::session
