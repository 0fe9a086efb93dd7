#include "bindings/interruptible.h"

#include <atomic>

#if !defined(_WIN32)
#include <pthread.h>
#endif

namespace qfast {
namespace {

unsigned long ask_python() {
  const pybind11::object thread = pybind11::module_::import("threading").attr("main_thread")();
  return thread.attr("ident").cast<unsigned long>();
}

}  // namespace

bool is_main_thread() {
  static std::atomic<unsigned long> main_thread{[] {
#if !defined(_WIN32)
    // In a child of fork() it is the thread that forked.
    pthread_atfork(nullptr, nullptr, [] { main_thread.store(PyThread_get_thread_ident()); });
#endif
    return ask_python();
  }()};
  return PyThread_get_thread_ident() == main_thread.load(std::memory_order_relaxed);
}

}  // namespace qfast
