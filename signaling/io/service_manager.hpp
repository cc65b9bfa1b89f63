#pragma once

// What systemd is told of this service's state (sd_notify(3)), over the socket of NOTIFY_SOCKET;
// nothing where there is none.

#include <string_view>

namespace nat::signaling::io {

void tell_ready(std::string_view status = {});  // status: a line that systemctl shows
void tell_reloading();
void tell_stopping();

}  // namespace nat::signaling::io
