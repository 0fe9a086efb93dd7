// Ctrl-C during long work. Python hands a signal to its main thread between two bytecodes, so a call that lasts seconds
// would sit on it. Here the work gets a thread of its own and the main thread waits, listening.
#pragma once

#include <pybind11/pybind11.h>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <mutex>
#include <thread>

#include "base/cancel.h"

namespace qfast {

// Work of fewer amplitude updates than this is done in less than 0.1 s.
constexpr std::uint64_t kLongWork = 1u << 26;
constexpr std::chrono::milliseconds kSignalInterval{20};

// Whether the calling thread, which holds the GIL, is the one that Python handles signals in.
inline bool is_main_thread() {
  const pybind11::module_ threading = pybind11::module_::import("threading");
  return threading.attr("get_ident")().equal(threading.attr("main_thread")().attr("ident"));
}

// Calls work(token) with the GIL released; returns or throws as it does. If a signal handler raises meanwhile, as that
// of Ctrl-C does, the work is cancelled and the handler's exception thrown. `cancel`, which may be null, is then as
// before: it was not its owner who stopped the work.
template <class Work>
void run_interruptibly(std::uint64_t amplitude_updates, CancelToken* cancel, const Work& work) {
  if (amplitude_updates < kLongWork || !is_main_thread()) {
    const pybind11::gil_scoped_release unlocked;
    work(cancel);
    return;
  }
  CancelToken own;
  CancelToken* const token = cancel != nullptr ? cancel : &own;
  std::mutex mutex;
  std::condition_variable finished;
  bool is_done = false, is_interrupted = false, was_cancelled = false;
  std::exception_ptr error;
  {
    const pybind11::gil_scoped_release unlocked;
    std::thread worker([&] {
      try {
        work(token);
      } catch (...) {
        error = std::current_exception();
      }
      const std::lock_guard locked(mutex);
      is_done = true;
      finished.notify_one();
    });
    std::unique_lock waiting(mutex);
    while (!finished.wait_for(waiting, kSignalInterval, [&] { return is_done; }) && !is_interrupted) {
      waiting.unlock();
      {
        const pybind11::gil_scoped_acquire locked;
        is_interrupted = PyErr_CheckSignals() != 0;
      }
      if (is_interrupted) was_cancelled = token->cancelled.exchange(true);
      waiting.lock();
    }
    waiting.unlock();
    worker.join();
  }
  if (is_interrupted) {
    token->cancelled.store(was_cancelled);
    throw pybind11::error_already_set();
  }
  if (error) std::rethrow_exception(error);
}

}  // namespace qfast
