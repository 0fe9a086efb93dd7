// Denormal numbers cost a hundred cycles each and mean nothing in an amplitude: kernels run with flush-to-zero. The
// mode belongs to a thread, so it is set and restored around a region of the caller's thread and set once in workers.
#pragma once

#include <cstdint>

#if defined(__x86_64__) || defined(_M_X64)
#include <xmmintrin.h>
#endif

namespace qfast {

class FlushDenormals {
 public:
#if defined(__x86_64__) || defined(_M_X64)
  FlushDenormals() : saved_(_mm_getcsr()) { _mm_setcsr(saved_ | 0x8040u); }  // FTZ (bit 15) and DAZ (bit 6)
  ~FlushDenormals() { _mm_setcsr((_mm_getcsr() & ~0x8040u) | (saved_ & 0x8040u)); }
#elif defined(__aarch64__)
  FlushDenormals() : saved_(read()) { write(saved_ | kFlushToZero); }
  ~FlushDenormals() { write((read() & ~kFlushToZero) | (saved_ & kFlushToZero)); }
#else
  FlushDenormals() = default;
#endif
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;

 private:
#if defined(__x86_64__) || defined(_M_X64)
  unsigned saved_;
#elif defined(__aarch64__)
  static constexpr std::uint64_t kFlushToZero = 1u << 24;
  static std::uint64_t read() {
    std::uint64_t fpcr;
    __asm__ volatile("mrs %0, fpcr" : "=r"(fpcr));
    return fpcr;
  }
  static void write(std::uint64_t fpcr) { __asm__ volatile("msr fpcr, %0" : : "r"(fpcr)); }
  std::uint64_t saved_;
#endif
};

}  // namespace qfast
