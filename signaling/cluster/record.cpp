#include "signaling/cluster/record.hpp"

#include <charconv>

namespace nat::cluster {

namespace {

constexpr std::size_t max_name = 64;

// Fields of one record, front to back. Bad once anything was missing or too large.
class fields {
 public:
  explicit fields(std::string_view text) : left_(text) {}

  std::string_view word() {
    if (done_) bad_ = true;
    const auto blank = left_.find(' ');
    const auto out = left_.substr(0, blank);
    done_ = blank == left_.npos;
    left_ = done_ ? std::string_view{} : left_.substr(blank + 1);
    bad_ = bad_ || out.empty() || out.size() > max_name;
    return out;
  }
  template <class Number>
  void number(Number& out) {
    const auto text = word();
    const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    bad_ = bad_ || error != std::errc{} || stop != text.data() + text.size();
  }
  hub::owner place() {
    hub::owner out;
    number(out.loop);
    number(out.slot);
    number(out.generation);
    return out;
  }
  hub::request_type request() {
    unsigned value = 0;
    number(value);
    bad_ = bad_ || value >= hub::request_types;
    return static_cast<hub::request_type>(value);
  }
  std::string_view rest() {
    done_ = true;
    return left_;
  }
  [[nodiscard]] bool good() const { return !bad_ && done_; }

 private:
  std::string_view left_;
  bool bad_ = false, done_ = false;
};

std::string place_text(const hub::owner& o) {
  return std::to_string(o.loop) + ' ' + std::to_string(o.slot) + ' ' + std::to_string(o.generation);
}

// The destination as the scripts write it: generation first.
hub::owner destination(fields& f) {
  hub::owner to;
  f.number(to.generation);
  f.number(to.loop);
  f.number(to.slot);
  return to;
}

void read_delivery(fields& f, record& r) {
  r.to = destination(f);
  f.number(r.id);
  r.node = f.word();
  const auto source = f.place();
  r.from = {.loop = hub::cluster_place};
  r.request = f.request();
  r.target = f.word();
  r.text = f.rest();
  r.origin = r.node + ' ' + std::to_string(r.id) + ' ' + place_text(source);
}

bool read_record(std::string_view body, record& r) {
  fields f(body);
  const auto what = f.word();
  if (what.size() != 1) return false;
  r.what = what[0];
  switch (r.what) {
    case 'D':
      read_delivery(f, r);
      break;
    case 'A':
      f.number(r.id);
      break;
    case 'N':
    case 'B':
      f.number(r.id);
      r.to = f.place();
      r.request = f.request();
      r.target = f.word();
      break;
    case 'S':
      r.to = destination(f);
      r.target = f.word();
      break;
    case 'P':
      break;
    default:
      return false;
  }
  return f.good();
}

}  // namespace

bool read_records(std::string_view publication, const std::function<void(const record&)>& tell) {
  while (!publication.empty()) {
    std::size_t size = 0;
    const auto* end = publication.data() + publication.size();
    const auto [stop, error] = std::from_chars(publication.data(), end, size);
    if (error != std::errc{} || stop == end || *stop != ':') return false;
    publication.remove_prefix(static_cast<std::size_t>(stop - publication.data()) + 1);
    if (size > publication.size()) return false;
    record r;
    if (!read_record(publication.substr(0, size), r)) return false;
    tell(r);
    publication.remove_prefix(size);
  }
  return true;
}

void append_record(std::string& publication, std::string_view body) {
  publication += std::to_string(body.size());
  publication += ':';
  publication += body;
}

std::string route_record(std::uint64_t id, std::string_view node, const hub::owner& from,
                         hub::request_type request, std::string_view target,
                         std::string_view message) {
  auto out = std::to_string(id);
  out.reserve(message.size() + 160);
  out += ' ';
  out += node;
  out += ' ' + place_text(from) + ' ' + std::to_string(static_cast<unsigned>(request)) + ' ';
  out += target;
  out += ' ';
  out += message;
  return out;
}

std::optional<answer> answer_to(const hub::envelope& e) {
  fields f(e.origin);
  answer out{std::string(f.word()), {}};
  const auto id = std::string(f.word());
  const auto source = std::string(f.rest());
  if (!f.good()) return std::nullopt;
  if (e.what == hub::envelope::type::accepted) {
    out.body = "A " + id;
  } else {
    out.body = e.what == hub::envelope::type::busy ? "B " : "N ";
    out.body +=
        id + ' ' + source + ' ' + std::to_string(static_cast<unsigned>(e.request)) + ' ' + e.target;
  }
  return out;
}

}  // namespace nat::cluster
