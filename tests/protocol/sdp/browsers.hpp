#pragma once

// Session descriptions for one data channel in the form each stack writes them. Lines end with \n
// here; on the wire with \r\n, and readers take both.

#include <array>
#include <string_view>

namespace nat::test::sdp_text {

struct example {
  std::string_view writer, text;
};

inline constexpr std::string_view chromium = R"(v=0
o=- 6050589910756652027 2 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0
a=extmap-allow-mixed
a=msid-semantic: WMS
m=application 9 UDP/DTLS/SCTP webrtc-datachannel
c=IN IP4 0.0.0.0
a=candidate:2162486046 1 udp 2122260223 0e41cd5d-fcd1-4d3c-a1f1-4a1c32a1e0bd.local 46154 typ host generation 0 network-id 1
a=candidate:1467250027 1 udp 2122194687 fd00::2 56143 typ host generation 0 network-id 2
a=candidate:3388485749 1 udp 1685987071 203.0.113.7 40112 typ srflx raddr 0.0.0.0 rport 0 generation 0 network-id 1
a=candidate:3388485750 1 udp 41885951 198.51.100.9 61000 typ relay raddr 203.0.113.7 rport 40112 generation 0 network-id 1
a=candidate:1876313031 1 tcp 1518222591 192.0.2.2 9 typ host tcptype active generation 0 network-id 1
a=ice-ufrag:4igg
a=ice-pwd:yXXQBkcqxulEwlFlJL76zn67
a=ice-options:trickle
a=fingerprint:sha-256 40:CC:AD:BD:A4:10:A2:72:76:43:43:AD:64:68:B4:F5:23:8F:A0:3B:D4:F0:0D:F3:63:EF:A8:7B:91:DE:81:86
a=setup:actpass
a=mid:0
a=sctp-port:5000
a=max-message-size:262144
)";

inline constexpr std::string_view firefox = R"(v=0
o=mozilla...THIS_IS_SDPARTA-99.0 6240373374829023226 0 IN IP4 0.0.0.0
s=-
t=0 0
a=sendrecv
a=fingerprint:sha-256 0B:5B:4F:09:5A:A1:F4:D4:A0:4B:9D:71:57:24:16:1D:AF:79:35:51:80:66:7F:F3:14:6A:87:8C:91:BC:9D:4B
a=group:BUNDLE 0
a=ice-options:trickle
a=msid-semantic:WMS *
m=application 49777 UDP/DTLS/SCTP webrtc-datachannel
c=IN IP4 203.0.113.7
a=candidate:0 1 UDP 2122252543 4d9ae8b3-2c5b-4ba7-9ab9-5a2f1f1b4c55.local 51234 typ host
a=candidate:2 1 TCP 2105524479 4d9ae8b3-2c5b-4ba7-9ab9-5a2f1f1b4c55.local 9 typ host tcptype active
a=candidate:1 1 UDP 1686052863 203.0.113.7 49777 typ srflx raddr 0.0.0.0 rport 0
a=sendrecv
a=end-of-candidates
a=ice-pwd:c5c9e6e35b7cd2d3a2b4a3a0fa7b2f10
a=ice-ufrag:5f3a9c01
a=mid:0
a=setup:actpass
a=sctp-port:5000
a=max-message-size:1073741823
)";

inline constexpr std::string_view safari = R"(v=0
o=- 2749238457283475 2 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0
a=msid-semantic: WMS
m=application 9 UDP/DTLS/SCTP webrtc-datachannel
c=IN IP4 0.0.0.0
a=ice-ufrag:Hk+/
a=ice-pwd:1fC2m8cd/9bPCu3MNO1pbT1V
a=ice-options:trickle
a=fingerprint:sha-256 7B:8B:F0:65:5F:78:E2:51:3B:AC:6F:F3:3F:46:1B:35:DC:B8:5F:64:1A:24:C2:43:F0:A1:58:D0:A1:2C:19:08
a=setup:active
a=mid:0
a=sctp-port:5000
a=max-message-size:65536
)";

// aiortc 1.4 offers the form from before RFC 8841, and mirrors what it is offered.
inline constexpr std::string_view aiortc = R"(v=0
o=- 4004353501 4004353501 IN IP4 0.0.0.0
s=-
t=0 0
a=group:BUNDLE 0
a=msid-semantic:WMS *
m=application 44648 DTLS/SCTP 5000
c=IN IP4 192.0.2.2
a=mid:0
a=sctpmap:5000 webrtc-datachannel 65535
a=max-message-size:65536
a=candidate:f957a2332b1715da3b0ef8ba684454eb 1 udp 2130706431 192.0.2.2 44648 typ host
a=candidate:d0bcf3d9c29a2bc887618212a1623bfa 1 udp 2130706431 fd00::2 55374 typ host
a=end-of-candidates
a=ice-ufrag:Evvy
a=ice-pwd:H3CIp2K87GAOFllVGl3aUx
a=fingerprint:sha-256 A8:EA:01:39:EA:A3:8C:CF:32:57:2A:5F:99:BC:26:C5:69:CB:F5:28:10:82:C0:A8:9B:D7:7A:56:63:5A:CF:1B
a=setup:actpass
)";

inline constexpr std::string_view libdatachannel = R"(v=0
o=rtc 3767197920 0 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0
a=group:LS 0
a=msid-semantic:WMS *
a=ice-options:ice2,trickle
a=fingerprint:sha-256 F4:20:66:9C:4B:42:9A:D6:B3:C5:3E:5D:37:22:BD:5F:0A:5B:0A:92:3C:C6:12:71:A6:C8:A9:A3:F2:0D:38:27
m=application 53482 UDP/DTLS/SCTP webrtc-datachannel
c=IN IP4 192.168.1.5
a=mid:0
a=sendrecv
a=sctp-port:5000
a=max-message-size:262144
a=setup:actpass
a=ice-ufrag:UGEe
a=ice-pwd:y7bIWTgsZVxw0uD8xUQ9sY
a=candidate:1 1 UDP 2114977791 192.168.1.5 53482 typ host
a=candidate:2 1 UDP 1678769919 203.0.113.9 53482 typ srflx raddr 0.0.0.0 rport 0
a=end-of-candidates
)";

inline constexpr std::string_view pion = R"(v=0
o=- 6920920643910646739 1700000000 IN IP4 0.0.0.0
s=-
t=0 0
a=msid-semantic:WMS*
a=fingerprint:sha-256 0F:74:31:25:CB:A2:13:EC:28:6F:6D:2C:61:FF:5D:C2:BC:B9:DB:3D:98:14:8D:1A:BB:EA:33:0C:A4:60:A8:8E
a=extmap-allow-mixed
a=group:BUNDLE 0
m=application 9 UDP/DTLS/SCTP webrtc-datachannel
c=IN IP4 0.0.0.0
a=setup:passive
a=mid:0
a=sendrecv
a=sctp-port:5000
a=max-message-size:0
a=ice-ufrag:XxjLzDVlPFWmdpnd
a=ice-pwd:JAUEFaBdrnXGXtJNnDDgJrQkSEKZCLZh
a=candidate:1966762134 1 udp 2130706431 10.1.2.3 39012 typ host ufrag XxjLzDVlPFWmdpnd
a=candidate:1966762134 2 udp 2130706430 10.1.2.3 39012 typ host ufrag XxjLzDVlPFWmdpnd
a=end-of-candidates
)";

inline constexpr std::array<example, 6> examples{{{"chromium", chromium},
                                                  {"firefox", firefox},
                                                  {"safari", safari},
                                                  {"aiortc", aiortc},
                                                  {"libdatachannel", libdatachannel},
                                                  {"pion", pion}}};

}  // namespace nat::test::sdp_text
