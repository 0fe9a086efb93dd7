#include "base/assert.h"

#include <cstdio>
#include <cstdlib>

namespace qfast {

void assertion_failed(const char* condition, const char* file, int line) noexcept {
  std::fprintf(stderr, "%s:%d: qfast took for granted: %s\n", file, line, condition);
  std::abort();
}

}  // namespace qfast
