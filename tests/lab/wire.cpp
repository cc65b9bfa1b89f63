// lab_wire: the cables of the lab. Each argument is one cable between two interfaces of this
// network namespace; frames that arrive at one end leave at the other a fixed time later, in
// order, both ways. It stands in for the kernel's netem, which many machines lack, and needs no
// privilege beyond CAP_NET_RAW in its own namespace.
//
//   lab_wire w0a:w0b:10000 w1a:w1b:5000:1.5:20000
//            END:END:DELAY_US[:LOSS_PERCENT[:RATE_KBIT]]
//   lab_wire --plain INTERFACE...      turns checksum and segmentation offloads off, and ends
//
// The delay counts from the kernel's own time stamp of the frame, so a late wake-up of this
// process does not add to it. Left out on purpose: jitter and reordering, which the simulator has.
#include <arpa/inet.h>
#include <linux/ethtool.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <deque>
#include <memory>
#include <optional>
#include <random>
#include <sstream>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

namespace {

using nanoseconds = std::int64_t;
constexpr nanoseconds never = INT64_MAX;
constexpr unsigned frame_bytes = 2048;           // a slot of the receive ring: header and one MTU
constexpr unsigned frame_count = 4096;           // 8 MiB an end
constexpr std::size_t queue_frames = 65'536;     // what one direction holds at most
constexpr nanoseconds queue_time = 200'000'000;  // what a rate limit may hold back at most
constexpr std::size_t batch = 64;

[[noreturn]] void fail(const std::string& what) {
  throw std::system_error(errno, std::generic_category(), what);
}

nanoseconds read_clock(clockid_t clock) {
  timespec t{};
  clock_gettime(clock, &t);
  return nanoseconds{t.tv_sec} * 1'000'000'000 + t.tv_nsec;
}

struct cable {
  std::string ends[2];
  nanoseconds delay = 0;
  double loss_percent = 0;
  std::int64_t rate_kbit = 0;  // 0: as fast as it comes
};

struct frame {
  nanoseconds due;
  std::vector<std::uint8_t> bytes;
};

// One end of a cable: a raw socket with a receive ring shared with the kernel, because a socket
// buffer an ordinary user may set holds fewer frames than one burst.
class end {
 public:
  explicit end(const std::string& interface) {
    fd_ = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd_ < 0) fail("open a raw socket");
    set_option(PACKET_VERSION, static_cast<int>(TPACKET_V2));
    set_option(PACKET_IGNORE_OUTGOING, 1);
    set_option(PACKET_QDISC_BYPASS, 1);
    tpacket_req ring{};
    ring.tp_frame_size = frame_bytes;
    ring.tp_frame_nr = frame_count;
    ring.tp_block_size = 1u << 16;
    ring.tp_block_nr = frame_bytes * frame_count / ring.tp_block_size;
    set_option(PACKET_RX_RING, ring);
    void* memory = mmap(nullptr, std::size_t{frame_bytes} * frame_count, PROT_READ | PROT_WRITE,
                        MAP_SHARED, fd_, 0);
    if (memory == MAP_FAILED) fail("map the receive ring of " + interface);
    ring_ = static_cast<std::uint8_t*>(memory);
    sockaddr_ll address{};
    address.sll_family = AF_PACKET;
    address.sll_protocol = htons(ETH_P_ALL);
    address.sll_ifindex = static_cast<int>(if_nametoindex(interface.c_str()));
    if (address.sll_ifindex == 0 ||
        bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) < 0)
      fail("bind to interface " + interface);
  }
  end(const end&) = delete;
  end& operator=(const end&) = delete;

  int descriptor() const { return fd_; }

  // Calls take(bytes, length, time stamp on the real-time clock) for every frame that waits.
  template <typename Take>
  void receive(Take take) {
    for (;;) {
      auto* header = reinterpret_cast<tpacket2_hdr*>(ring_ + std::size_t{next_} * frame_bytes);
      if ((__atomic_load_n(&header->tp_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER) == 0) return;
      nanoseconds stamp = nanoseconds{header->tp_sec} * 1'000'000'000 + header->tp_nsec;
      take(reinterpret_cast<std::uint8_t*>(header) + header->tp_mac, header->tp_snaplen, stamp);
      __atomic_store_n(&header->tp_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
      next_ = (next_ + 1) % frame_count;
    }
  }

  // Sends the first frames of the queue that are due. A frame that the kernel refuses is lost, as
  // on any wire.
  void send_due(std::deque<frame>& queue, nanoseconds now) {
    std::array<mmsghdr, batch> messages{};
    std::array<iovec, batch> parts{};
    while (!queue.empty() && queue.front().due <= now) {
      unsigned count = 0;
      for (; count < batch && count < queue.size() && queue[count].due <= now; ++count) {
        parts[count] = {queue[count].bytes.data(), queue[count].bytes.size()};
        messages[count] = {};
        messages[count].msg_hdr.msg_iov = &parts[count];
        messages[count].msg_hdr.msg_iovlen = 1;
      }
      int sent = sendmmsg(fd_, messages.data(), count, 0);
      unsigned done = sent > 0 ? static_cast<unsigned>(sent) : 1;
      queue.erase(queue.begin(), queue.begin() + done);
    }
  }

 private:
  template <typename Value>
  void set_option(int option, const Value& value) {
    if (setsockopt(fd_, SOL_PACKET, option, &value, sizeof value) < 0)
      fail("set packet socket option " + std::to_string(option));
  }

  int fd_ = -1;
  std::uint8_t* ring_ = nullptr;
  unsigned next_ = 0;
};

// One direction of a cable.
class direction {
 public:
  direction(end& from, end& to, const cable& options, std::uint64_t seed)
      : from_(from), to_(to), options_(options), random_(seed) {}

  int descriptor() const { return from_.descriptor(); }
  nanoseconds next_due() const { return queue_.empty() ? never : queue_.front().due; }
  void send_due(nanoseconds now) { to_.send_due(queue_, now); }

  void receive() {
    const nanoseconds offset = read_clock(CLOCK_REALTIME) - read_clock(CLOCK_MONOTONIC);
    from_.receive([&](const std::uint8_t* bytes, std::size_t length, nanoseconds stamp) {
      if (queue_.size() >= queue_frames || lost()) return;
      if (auto leaves = serialised(stamp - offset, length))
        queue_.push_back({*leaves + options_.delay, {bytes, bytes + length}});
    });
  }

 private:
  bool lost() {
    return options_.loss_percent > 0 &&
           std::uniform_real_distribution<>(0, 100)(random_) < options_.loss_percent;
  }

  // When the last bit of the frame has left the sender, or nothing if the queue is too long.
  std::optional<nanoseconds> serialised(nanoseconds arrival, std::size_t length) {
    if (options_.rate_kbit == 0) return arrival;
    nanoseconds start = std::max(arrival, busy_until_);
    if (start - arrival > queue_time) return std::nullopt;
    busy_until_ = start + static_cast<nanoseconds>(length) * 8'000'000 / options_.rate_kbit;
    return busy_until_;
  }

  end& from_;
  end& to_;
  cable options_;
  std::mt19937_64 random_;
  std::deque<frame> queue_;
  nanoseconds busy_until_ = 0;
};

cable parse(const std::string& text) {
  std::vector<std::string> fields;
  std::istringstream in(text);
  for (std::string field; std::getline(in, field, ':');) fields.push_back(field);
  if (fields.size() < 3)
    throw std::invalid_argument("read '" + text + "': want END:END:DELAY_US[:LOSS[:RATE_KBIT]]");
  cable c;
  c.ends[0] = fields[0];
  c.ends[1] = fields[1];
  c.delay = std::stoll(fields[2]) * 1000;
  c.loss_percent = fields.size() > 3 ? std::stod(fields[3]) : 0;
  c.rate_kbit = fields.size() > 4 ? std::stoll(fields[4]) : 0;
  return c;
}

// Makes interfaces send plain frames of at most one MTU with finished checksums: on a veth pair the
// kernel would otherwise pass on super-packets that no wire ever carries.
void make_plain(int count, char** interfaces) {
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  for (int i = 0; i < count; ++i) {
    ethtool_value off{.cmd = ETHTOOL_STXCSUM, .data = 0};
    ifreq request{};
    std::strncpy(request.ifr_name, interfaces[i], IFNAMSIZ - 1);
    request.ifr_data = reinterpret_cast<char*>(&off);
    if (ioctl(fd, SIOCETHTOOL, &request) < 0)
      fail(std::string("turn offloads off on ") + interfaces[i]);
  }
}

void run(std::vector<direction>& directions) {
  int poll = epoll_create1(EPOLL_CLOEXEC);
  int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  auto watch = [&](int fd, std::uint64_t key) {
    epoll_event event{EPOLLIN, {.u64 = key}};
    if (epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event) < 0) fail("watch a descriptor");
  };
  for (std::size_t i = 0; i < directions.size(); ++i) watch(directions[i].descriptor(), i);
  watch(timer, directions.size());

  std::array<epoll_event, 64> events{};
  for (nanoseconds armed = never;;) {
    int count = epoll_wait(poll, events.data(), static_cast<int>(events.size()), -1);
    for (int i = 0; i < count; ++i)
      if (auto key = events[static_cast<std::size_t>(i)].data.u64; key < directions.size())
        directions[key].receive();
    nanoseconds now = read_clock(CLOCK_MONOTONIC), next = never;
    for (auto& d : directions) {
      d.send_due(now);
      next = std::min(next, d.next_due());
    }
    if (next == armed && next > now) continue;
    itimerspec when{};
    if (next != never)
      when.it_value = {next / 1'000'000'000, std::max<nanoseconds>(next % 1'000'000'000, 1)};
    timerfd_settime(timer, TFD_TIMER_ABSTIME, &when, nullptr);
    armed = next;
  }
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc > 1 && std::string(argv[1]) == "--plain") {
    make_plain(argc - 2, argv + 2);
    return 0;
  }
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  prctl(PR_SET_TIMERSLACK, 1UL);
  // Punctual where the machine allows it; correct, if coarser, where it does not.
  sched_param real_time{.sched_priority = 1};
  if (sched_setscheduler(0, SCHED_FIFO, &real_time) != 0) (void)setpriority(PRIO_PROCESS, 0, -10);
  std::deque<end> ends;
  std::vector<direction> directions;
  for (int i = 1; i < argc; ++i) {
    cable c = parse(argv[i]);
    end& left = ends.emplace_back(c.ends[0]);
    end& right = ends.emplace_back(c.ends[1]);
    auto seed = static_cast<std::uint64_t>(i);
    directions.emplace_back(left, right, c, 2 * seed);
    directions.emplace_back(right, left, c, 2 * seed + 1);
  }
  std::puts("ready");
  std::fflush(stdout);
  run(directions);
} catch (const std::exception& e) {
  std::fprintf(stderr, "lab_wire: failed to %s\n", e.what());
  return 1;
}
