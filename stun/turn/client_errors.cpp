#include "stun/turn/client_errors.hpp"

#include <array>

namespace nat::turn {
namespace {

struct explanation {
  int code;
  std::string_view text;
};

constexpr std::array explanations{
    explanation{-1, "the connection to the server was closed"},
    explanation{0, "the server does not answer"},
    explanation{300, "the server sends us to another one, but names none that can be used"},
    explanation{400, "the server does not understand the request"},
    explanation{401, "the server does not accept this username and password"},
    explanation{403, "the server's rules forbid it"},
    explanation{405, "the server does not let this user relay"},
    explanation{420, "server and client do not understand each other's extensions"},
    explanation{437, "the server ties this port to an allocation that is not ours (any more)"},
    explanation{438, "the server calls every nonce stale"},
    explanation{440, "the server has no relay addresses of this family"},
    explanation{441, "the allocation belongs to another user"},
    explanation{442, "the server does not relay UDP"},
    explanation{443, "the peer's address is of another family than the relayed address"},
    explanation{446, "the server has lost the connection to the peer"},
    explanation{447, "the server could not reach the peer"},
    explanation{486, "this user has as many allocations as the server allows; end others first"},
    explanation{500, "the server has an internal error"},
    explanation{508, "the server has no capacity left; try again in a minute, or another server"},
};

std::string printable(std::string_view phrase) {
  constexpr std::size_t max_phrase = 100;
  std::string out;
  for (const char c : phrase.substr(0, max_phrase)) {
    if (c >= 0x20 && c < 0x7f) out += c;
  }
  return out;
}

}  // namespace

std::string explain(int code, std::string_view phrase) {
  std::string out;
  for (const auto& known : explanations) {
    if (known.code == code) out = known.text;
  }
  if (out.empty()) out = "the server refuses";
  if (code > 0) {
    out += " (" + std::to_string(code);
    if (const auto said = printable(phrase); !said.empty()) out += " " + said;
    out += ")";
  }
  return out;
}

}  // namespace nat::turn
