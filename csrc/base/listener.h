// Hearing of the caller during long work. Python hands a signal, as that of Ctrl-C, to its main thread between two
// bytecodes, so a call that lasts seconds would sit on it. Instead, whoever calls the core registers a listener for the
// duration of the call, and the loops of the calling thread ask it now and then: no thread is started for that.
#pragma once

#include <cstdint>

#include "base/function_ref.h"
#include "base/types.h"

namespace qfast {

// For the calling thread, from its construction to its end; listeners nest.
class QFAST_API Listener {
 public:
  // hear() returns true when the work shall stop. It is called on this thread, at most every 20 ms, and never again
  // after it has returned true.
  using Hear = FunctionRef<bool()>;
  explicit Listener(Hear hear) noexcept;
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  bool is_interrupted() const noexcept { return is_interrupted_; }

 private:
  friend bool is_interrupted();
  Hear hear_;
  Listener* outer_;
  std::int64_t next_ns_;
  bool is_interrupted_ = false;
};

// Asks this thread's listener, if it has one and 20 ms have gone by; true from then on that it wants the work to stop.
// Loops call it, through should_stop() of base/cancel.h, at least every few milliseconds; without a listener, and
// between its turns, it costs some nanoseconds.
QFAST_API bool is_interrupted();

}  // namespace qfast
