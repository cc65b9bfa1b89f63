#include "ice/gather/mdns.hpp"

#include <algorithm>
#include <optional>

#include "protocol/base/big_endian.hpp"
#include "protocol/base/ensure.hpp"

namespace nat::ice::mdns {
namespace {

constexpr std::size_t header_size = 12;
constexpr std::size_t max_name = 255;    // RFC 1035, 3.1
constexpr std::size_t max_records = 64;  // looked at in one message
constexpr std::size_t max_addresses = 16;
constexpr std::size_t max_pointers = 16;  // followed in one name
constexpr std::uint16_t type_a = 1, type_aaaa = 28;
constexpr std::uint16_t class_in = 1;
constexpr std::uint16_t top_bit = 0x8000;  // of a class: answer to me alone, or flush the cache

constexpr char lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

bool is_label_char(char c) noexcept {
  const char l = lower(c);
  return (l >= 'a' && l <= 'z') || (c >= '0' && c <= '9') || c == '-';
}

// A place in a message; every step checks that the bytes are there.
class cursor {
 public:
  cursor(byte_view message, std::size_t offset) : message_(message), offset_(offset) {}

  template <class Integer>
  std::optional<Integer> take() {
    if (message_.size() - offset_ < sizeof(Integer)) return std::nullopt;
    const auto value = load_be<Integer>(message_, offset_);
    offset_ += sizeof(Integer);
    return value;
  }

  std::optional<byte_view> take_bytes(std::size_t size) {
    if (message_.size() - offset_ < size) return std::nullopt;
    const auto out = message_.subspan(offset_, size);
    offset_ += size;
    return out;
  }

  // RFC 1035, 4.1.4. Pointers lead backwards only, so that no chain of them can go round.
  std::optional<std::string> take_name() {
    std::string out;
    cursor at = *this;
    std::size_t pointers = 0;
    for (;;) {
      const auto start = at.offset_;
      const auto length = at.take<std::uint8_t>();
      if (!length) return std::nullopt;
      if ((*length & 0xc0U) == 0xc0U) {
        const auto rest = at.take<std::uint8_t>();
        if (!rest || ++pointers > max_pointers) return std::nullopt;
        if (pointers == 1) offset_ = at.offset_;
        const auto target = static_cast<std::size_t>((*length & 0x3fU) << 8 | *rest);
        if (target >= start) return std::nullopt;
        at.offset_ = target;
        continue;
      }
      if ((*length & 0xc0U) != 0) return std::nullopt;
      if (*length == 0) break;
      const auto label = at.take_bytes(*length);
      if (!label || out.size() + *length + 1 > max_name) return std::nullopt;
      if (!out.empty()) out += '.';
      std::ranges::transform(as_text(*label), std::back_inserter(out), lower);
    }
    if (pointers == 0) offset_ = at.offset_;
    return out;
  }

 private:
  byte_view message_;
  std::size_t offset_;
};

void append_name(bytes& out, std::string_view name) {
  while (!name.empty()) {
    const auto label = name.substr(0, name.find('.'));
    out.push_back(static_cast<std::byte>(label.size()));
    const auto octets = as_bytes(label);
    out.insert(out.end(), octets.begin(), octets.end());
    name.remove_prefix(std::min(label.size() + 1, name.size()));
  }
  out.push_back(std::byte{0});
}

void append_u16(bytes& out, std::uint16_t value) {
  out.push_back(static_cast<std::byte>(value >> 8));
  out.push_back(static_cast<std::byte>(value & 0xff));
}

bool skip_questions(cursor& at, std::size_t count) {
  for (; count > 0; --count) {
    if (!at.take_name() || !at.take_bytes(4)) return false;
  }
  return true;
}

struct raw_record {
  std::string name;
  std::uint16_t type, klass;
  std::uint32_t ttl;
  byte_view data;
};

std::optional<raw_record> take_record(cursor& at) {
  auto name = at.take_name();
  const auto type = at.take<std::uint16_t>();
  const auto klass = at.take<std::uint16_t>();
  const auto ttl = at.take<std::uint32_t>();
  const auto size = at.take<std::uint16_t>();
  if (!name || !type || !klass || !ttl || !size) return std::nullopt;
  const auto data = at.take_bytes(*size);
  if (!data) return std::nullopt;
  return raw_record{*std::move(name), *type, *klass, *ttl, *data};
}

std::optional<address> address_in(const raw_record& r) {
  if (r.ttl == 0 || (r.klass & ~unsigned{top_bit}) != class_in) return std::nullopt;
  if (r.type == type_a && r.data.size() == 4) return make_v4(load_be<std::uint32_t>(r.data));
  if (r.type == type_aaaa && r.data.size() == 16) return make_v6(r.data);
  return std::nullopt;
}

}  // namespace

endpoint group_v4() noexcept {
  return {make_v4(0xe00000fb), port};
}

endpoint group_v6() noexcept {
  address ip{.v4 = false};
  store_be<std::uint16_t>(byte_span(ip.octets), 0, 0xff02);
  ip.octets[15] = std::byte{0xfb};
  return {ip, port};
}

bool is_name(std::string_view host) noexcept {
  constexpr std::string_view suffix = ".local";
  if (host.size() <= suffix.size() || host.size() > 63 + suffix.size()) return false;
  const auto label = host.substr(0, host.size() - suffix.size());
  return std::ranges::equal(host.substr(label.size()), suffix, {}, lower) &&
         std::ranges::all_of(label, is_label_char);
}

bytes write_query(std::string_view name, std::uint16_t id) {
  ensure(is_name(name));
  bytes out;
  out.reserve(header_size + 2 * (name.size() + 6));
  for (const std::uint16_t word : {id, std::uint16_t{0}, std::uint16_t{2}, std::uint16_t{0},
                                   std::uint16_t{0}, std::uint16_t{0}}) {
    append_u16(out, word);
  }
  for (const auto type : {type_a, type_aaaa}) {
    append_name(out, name);
    append_u16(out, type);
    // RFC 6762, 5.4: a unicast answer will do.
    append_u16(out, class_in | top_bit);
  }
  return out;
}

std::vector<record> read_response(byte_view datagram) {
  std::vector<record> out;
  if (datagram.size() < header_size) return out;
  const auto flags = load_be<std::uint16_t>(datagram, 2);
  // RFC 6762, 18: a response, opcode 0, response code 0.
  if ((flags & 0x8000U) == 0 || (flags & 0x780fU) != 0) return out;
  cursor at(datagram, header_size);
  const std::size_t questions = load_be<std::uint16_t>(datagram, 4);
  if (questions > max_records || !skip_questions(at, questions)) return out;
  // Answers, authorities and additional records: an address is as good in any of them.
  std::size_t records = 0;
  for (const std::size_t offset : {6U, 8U, 10U}) {
    records += load_be<std::uint16_t>(datagram, offset);
  }
  records = std::min(records, max_records);
  for (; records > 0 && out.size() < max_addresses; --records) {
    auto found = take_record(at);
    if (!found) break;
    if (const auto ip = address_in(*found)) out.push_back({std::move(found->name), *ip});
  }
  return out;
}

}  // namespace nat::ice::mdns
