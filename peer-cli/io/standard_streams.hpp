#pragma once

// Standard input and output as the pipe's ends: read only when asked, written without blocking the
// loop, whatever they are (pipe, terminal, file, socket).

#include <functional>
#include <memory>
#include <string>

#include <boost/asio/any_io_executor.hpp>

#include "protocol/base/bytes.hpp"

namespace nat::peer_io {

class input_stream {
 public:
  // `descriptor` stays the caller's and its flags are left alone.
  input_stream(boost::asio::any_io_executor, int descriptor);
  ~input_stream();
  // One read of up to `most` bytes. Empty: the end where error_number is 0.
  void read(std::size_t most, std::function<void(bytes, int error_number)> on_read);
  [[nodiscard]] bool reading() const;

 private:
  struct state;
  std::shared_ptr<state> state_;
};

class output_stream {
 public:
  output_stream(boost::asio::any_io_executor, int descriptor);
  ~output_stream();
  // All of `data`, which stays valid until on_written is called, with what went wrong or 0.
  void write(byte_view data, std::function<void(int error_number)> on_written);
  [[nodiscard]] bool writing() const;
  // Calls back once when nobody reads any more (a closed pipe), if that can be seen.
  void when_reader_leaves(std::function<void()> on_left);

 private:
  struct state;
  std::shared_ptr<state> state_;
};

}  // namespace nat::peer_io
