// The plain main of every fuzz target: runs each file of the corpus folders named on the command
// line once, then as many deterministic mutations of them, so that a target can't rot unseen.

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

std::uint64_t state = 1;
std::uint64_t next() {
  state ^= state << 13;
  state ^= state >> 7;
  return state ^= state << 17;
}

void mutate(std::vector<std::uint8_t>& input) {
  for (auto n = next() % 4 + 1; n > 0; --n) {
    const auto choice = next() % 4;
    if (input.empty() || choice == 0) {
      input.insert(input.begin() + static_cast<std::ptrdiff_t>(next() % (input.size() + 1)),
                   static_cast<std::uint8_t>(next()));
    } else if (choice == 1) {
      input.resize(next() % input.size());
    } else {
      input[next() % input.size()] =
          static_cast<std::uint8_t>(choice == 2 ? next() : 1U << (next() % 8));
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::size_t runs = 0;
  for (int i = 1; i < argc; ++i) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(argv[i])) {
      if (!entry.is_regular_file()) continue;
      std::ifstream file(entry.path(), std::ios::binary);
      const std::vector<std::uint8_t> seed{std::istreambuf_iterator<char>(file), {}};
      LLVMFuzzerTestOneInput(seed.data(), seed.size());
      ++runs;
      for (int round = 0; round < 2000; ++round, ++runs) {
        auto input = seed;
        mutate(input);
        LLVMFuzzerTestOneInput(input.data(), input.size());
      }
    }
  }
  std::printf("%zu inputs\n", runs);
  return runs == 0 ? 1 : 0;  // an empty corpus would prove nothing
}
