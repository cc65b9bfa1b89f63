#pragma once

// A share of the processor for a process under load, by a control group of its own (as root, where
// the cpu controller is), so that what makes the load has the rest of the same cores.

#include <sys/types.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace nat::bench {

class processor_share {
 public:
  // `cores` may be a part of one.
  explicit processor_share(double cores) {
    namespace fs = std::filesystem;
    const fs::path root = "/sys/fs/cgroup";
    const bool v2 = fs::exists(root / "cgroup.controllers");
    folder_ = (v2 ? root : root / "cpu") / ("bench-" + std::to_string(::getpid()));
    std::error_code wrong;
    fs::create_directory(folder_, wrong);
    constexpr int period = 10'000;  // microseconds
    const auto quota = std::to_string(static_cast<int>(cores * period));
    if (v2) {
      there_ = write("cpu.max", quota + ' ' + std::to_string(period));
    } else {
      there_ =
          write("cpu.cfs_period_us", std::to_string(period)) && write("cpu.cfs_quota_us", quota);
    }
  }
  // After the end of who was limited.
  ~processor_share() { ::rmdir(folder_.c_str()); }
  processor_share(const processor_share&) = delete;
  processor_share& operator=(const processor_share&) = delete;

  // False: there is no such thing here.
  [[nodiscard]] bool limit(pid_t process) const {
    return there_ && write("cgroup.procs", std::to_string(process));
  }

 private:
  [[nodiscard]] bool write(const char* file, const std::string& text) const {
    if (!std::filesystem::exists(folder_ / file)) return false;  // it would be made elsewhere
    std::ofstream out(folder_ / file);
    out << text << std::flush;
    return out.good();
  }
  std::filesystem::path folder_;
  bool there_ = false;
};

}  // namespace nat::bench
