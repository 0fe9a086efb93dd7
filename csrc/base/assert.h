// QFAST_ASSERT: what the code takes for granted of its own making, said where it is taken. On in debug, sanitizer and
// test builds (no NDEBUG); in a release nothing is evaluated. What a caller may get wrong is checked at the border and
// thrown as an Error instead.
#pragma once

#include "base/types.h"

namespace qfast {

// Prints the condition and its place, and ends the process.
[[noreturn]] QFAST_API void assertion_failed(const char* condition, const char* file, int line) noexcept;

}  // namespace qfast

#if defined(NDEBUG)
#define QFAST_ASSERT(condition) static_cast<void>(sizeof(!(condition)))
#else
#define QFAST_ASSERT(condition) \
  ((condition) ? static_cast<void>(0) : ::qfast::assertion_failed(#condition, __FILE__, __LINE__))
#endif
