#include "ice/portmap/igd.hpp"

#include <charconv>
#include <cstring>

#include <miniupnpc/igd_desc_parse.h>
#include <miniupnpc/miniupnpc.h>
#include <miniupnpc/upnpreplyparse.h>

namespace nat::portmap::igd {
namespace {

constexpr std::string_view service_prefix = "urn:schemas-upnp-org:service:";
constexpr std::size_t max_values = 64;

template <std::size_t N>
std::string text_of(const char (&field)[N]) {
  return {field, ::strnlen(field, N)};
}

// Relative to `from`, or absolute and at the same address: a description has no say in where we
// connect to. The port may be another one of that host.
std::optional<http::url> resolve(const std::string& url, const http::url& from) {
  if (url.empty()) return std::nullopt;
  if (url.find("://") != std::string::npos) {
    auto absolute = http::parse_url(url);
    if (!absolute || absolute->where.ip != from.where.ip) return std::nullopt;
    return absolute;
  }
  const auto path = url.front() == '/' ? url : '/' + url;
  return http::parse_url("http://" + to_string(from.where) + path);
}

std::optional<service> read_service(const IGDdatas_service& in, const http::url& from,
                                    std::initializer_list<std::string_view> kinds) {
  const auto type = text_of(in.servicetype);
  if (!std::string_view(type).starts_with(service_prefix)) return std::nullopt;
  const auto name = std::string_view(type).substr(service_prefix.size());
  bool known = false;
  for (const auto kind : kinds) known = known || name.starts_with(kind);
  // It stands in requests of ours: nothing but a name and a number.
  const auto odd = name.find_first_not_of(
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
      "0123456789:");
  auto control = resolve(text_of(in.controlurl), from);
  if (!known || odd != std::string_view::npos || !control) return std::nullopt;
  return service{std::move(*control), type};
}

}  // namespace

int service::version() const {
  const auto colon = type.rfind(':');
  int value = 0;
  std::from_chars(type.data() + colon + 1, type.data() + type.size(), value);
  return value;
}

description read_description(std::string_view xml, const http::url& from) {
  IGDdatas data;
  std::memset(&data, 0, sizeof data);
  if (xml.size() > http::max_response) return {};
  ::parserootdesc(xml.data(), static_cast<int>(xml.size()), &data);
  description out;
  for (const auto* const one : {&data.first, &data.second}) {
    if (!out.connection) {
      out.connection = read_service(*one, from, {"WANIPConnection:", "WANPPPConnection:"});
    }
  }
  out.firewall = read_service(data.IPv6FC, from, {"WANIPv6FirewallControl:"});
  return out;
}

std::string call(const service& to, std::string_view action,
                 const std::vector<argument>& arguments) {
  const std::string name(action);
  auto body =
      "<?xml version=\"1.0\"?>\r\n<s:Envelope "
      "xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\" "
      "s:encodingStyle=\"http://schemas.xmlsoap.org/soap/encoding/\"><s:Body><u:" +
      name + " xmlns:u=\"" + to.type + "\">";
  for (const auto& a : arguments) body += '<' + a.name + '>' + a.value + "</" + a.name + '>';
  body += "</u:" + name + "></s:Body></s:Envelope>\r\n";
  return http::post(to.control, to.type + '#' + name, body);
}

reply::reply(const http::response& in) {
  NameValueParserData data;
  std::memset(&data, 0, sizeof data);
  ::ParseNameValue(in.body.data(), static_cast<int>(in.body.size()), &data);
  for (const auto* v = data.l_head; v != nullptr && values_.size() < max_values; v = v->l_next) {
    values_.push_back({text_of(v->name), text_of(v->value)});
  }
  ::ClearNameValueList(&data);
  if (in.status == 200) return;
  const auto code = value("errorCode");
  error_ = -1;
  int read = 0;
  const auto end = code.data() + code.size();
  if (std::from_chars(code.data(), end, read).ptr == end && read > 0) error_ = read;
}

std::string reply::value(std::string_view name) const {
  for (const auto& v : values_) {
    if (v.name == name) return v.value;
  }
  return {};
}

}  // namespace nat::portmap::igd
