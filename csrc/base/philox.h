// Philox4x32-10, the counter-based generator of Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as
// 1, 2, 3", SC 2011, doi:10.1145/2063384.2063405. A random number is a function of (seed, shot, site): no state, so
// shots may be drawn in any order and on any thread. qfast/simulation computes the same numbers in Python.
#pragma once

#include <array>
#include <cstdint>

namespace qfast {

using PhiloxBlock = std::array<std::uint32_t, 4>;

constexpr PhiloxBlock philox4x32_10(PhiloxBlock counter, std::array<std::uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t product0 = 0xD2511F53ull * counter[0];
    const std::uint64_t product1 = 0xCD9E8D57ull * counter[2];
    counter = {static_cast<std::uint32_t>(product1 >> 32) ^ counter[1] ^ key[0], static_cast<std::uint32_t>(product1),
               static_cast<std::uint32_t>(product0 >> 32) ^ counter[3] ^ key[1], static_cast<std::uint32_t>(product0)};
    key[0] += 0x9E3779B9u;  // the golden ratio
    key[1] += 0xBB67AE85u;  // sqrt(3) - 1
  }
  return counter;
}

constexpr PhiloxBlock philox_block(std::uint64_t seed, std::uint64_t shot, std::uint64_t site) {
  return philox4x32_10({static_cast<std::uint32_t>(shot), static_cast<std::uint32_t>(shot >> 32),
                        static_cast<std::uint32_t>(site), static_cast<std::uint32_t>(site >> 32)},
                       {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)});
}

// 53 random bits as an integer; the uniform is this over 2^53.
constexpr std::uint64_t philox_bits53(std::uint64_t seed, std::uint64_t shot, std::uint64_t site) {
  const PhiloxBlock x = philox_block(seed, shot, site);
  return (static_cast<std::uint64_t>(x[0] >> 5) << 26) + (x[1] >> 6);
}

// The uniform in [0, 1) of one random decision.
constexpr double philox_uniform(std::uint64_t seed, std::uint64_t shot, std::uint64_t site) {
  return static_cast<double>(philox_bits53(seed, shot, site)) * 0x1p-53;
}

}  // namespace qfast
