#pragma once

// One pass over the lines of a session description. Internal to this folder.

#include "protocol/sdp/description.hpp"

namespace nat::sdp {

// What may stand at session level and be overridden in the media section (RFC 8839, 5.4; RFC 8122,
// 5; RFC 4145, 4).
struct shared_attributes {
  std::string ufrag, password;
  std::vector<std::string> fingerprints;
  std::optional<sdp::setup> setup;
  std::optional<std::string> ice_options;
};

class reader {
 public:
  // Each line without its end. False: it is wrong, and error() says how.
  bool take(std::string_view line);
  // After the last line: fills in what came from session level, and looks for what is missing.
  bool finish();
  [[nodiscard]] description& result() { return out_; }
  [[nodiscard]] parse_error& error() { return error_; }

 private:
  bool fail(std::string message);
  bool take_origin(std::string_view value);
  bool take_media(std::string_view value);
  bool take_attribute(std::string_view name, std::string_view value);
  bool take_shared(std::string_view name, std::string_view value, bool& known);
  bool take_ice(std::string_view name, std::string_view value);
  bool take_fingerprint(std::string_view value);
  bool take_setup(std::string_view value);
  bool take_candidate(std::string_view value);
  bool take_media_attribute(std::string_view name, std::string_view value);

  description out_;
  parse_error error_{};
  std::size_t line_ = 0;
  std::size_t candidate_lines_ = 0;
  shared_attributes session_, media_;
  bool in_media_ = false;
  bool refused_ = false;      // port 0 on the m-line
  bool bundle_only_ = false;  // which port 0 then means instead (RFC 9143, 6)
};

}  // namespace nat::sdp
