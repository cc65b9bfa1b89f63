#pragma once

// A file of a test's own, which goes when it goes.

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "protocol/base/ensure.hpp"

namespace nat::test {

class scratch_file {
 public:
  explicit scratch_file(std::string_view name)
      : path_(std::filesystem::temp_directory_path() /
              ("nat-test-" + std::string(name) + '.' + std::to_string(::getpid()))) {}
  ~scratch_file() { std::filesystem::remove(path_); }
  scratch_file(const scratch_file&) = delete;
  scratch_file& operator=(const scratch_file&) = delete;
  // Whole at once: who reads it meanwhile finds the old text or the new one.
  void write(std::string_view text) const {
    const auto whole = path_.string() + ".new";
    {
      std::ofstream out(whole, std::ios::binary);
      out << text;
      ensure(out.flush().good());
    }
    std::filesystem::rename(whole, path_);
  }
  [[nodiscard]] std::string path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace nat::test
