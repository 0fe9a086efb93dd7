// Long work without the GIL, that hears Ctrl-C and other signals.
#pragma once

#include <pybind11/pybind11.h>

#include <exception>

#include "base/cancel.h"
#include "base/listener.h"

namespace qfast {

// Whether the calling thread is the one that Python handles signals in.
bool is_main_thread();

// Calls work(token) with the GIL released; returns or throws as it does. If a signal handler raises meanwhile, as that
// of Ctrl-C does, the work is cancelled and the handler's exception thrown. `cancel`, which may be null, is then as
// before: it was not its owner who stopped the work.
template <class Work>
void run_interruptibly(CancelToken* cancel, const Work& work) {
  if (!is_main_thread()) {
    const pybind11::gil_scoped_release unlocked;
    work(cancel);
    return;
  }
  CancelToken own;
  CancelToken* const token = cancel != nullptr ? cancel : &own;
  bool was_cancelled = false;
  const auto hear = [&] {
    const pybind11::gil_scoped_acquire locked;
    if (PyErr_CheckSignals() == 0) return false;
    was_cancelled = token->cancelled.exchange(true);  // for the threads that help
    return true;
  };
  const Listener listener(hear);
  std::exception_ptr error;
  {
    const pybind11::gil_scoped_release unlocked;
    try {
      work(token);
    } catch (...) {
      error = std::current_exception();
    }
  }
  if (listener.is_interrupted()) {
    token->cancelled.store(was_cancelled);
    throw pybind11::error_already_set();
  }
  if (error) std::rethrow_exception(error);
}

}  // namespace qfast
