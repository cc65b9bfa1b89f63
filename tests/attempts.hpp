#pragma once

// For what can be judged only while no process stands still for seconds, as each does at times on a
// busy machine.

#include <string>

#include "tests/check.hpp"

namespace nat::test {

// Thrown by an attempt that says nothing of what it tests.
struct spoiled {
  std::string why;
};

// Until an attempt is not spoiled, which one of five has to be.
template <class Attempt>
void attempt(Attempt once) {
  for (int left = 5;; --left) {
    try {
      return once();
    } catch (const spoiled& s) {
      REQUIRE_MESSAGE(left > 1, s.why);
      MESSAGE("once more: " << s.why);
    }
  }
}

}  // namespace nat::test
