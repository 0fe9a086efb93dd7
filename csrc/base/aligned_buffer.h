// Memory for states. Large buffers start at a 2 MiB boundary and ask for huge pages; a buffer that dies is kept, up to
// a byte budget, and given to the next state of the same size, because the first touch of fresh memory costs more than
// many a circuit.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <utility>
#include <vector>

#include "base/types.h"

namespace qfast {

class StateBufferPool;

// Sole owner of one buffer; its destructor gives the memory back to the pool.
class QFAST_API StateBuffer {
 public:
  StateBuffer() = default;
  StateBuffer(StateBuffer&& other) noexcept { swap(other); }
  StateBuffer& operator=(StateBuffer&& other) noexcept {
    StateBuffer(std::move(other)).swap(*this);
    return *this;
  }
  ~StateBuffer();

  void* data() const noexcept { return data_; }
  std::size_t size_bytes() const noexcept { return size_bytes_; }
  // True: fresh pages of the system, untouched and all zero. False: may hold the amplitudes of an earlier state.
  bool is_zero() const noexcept { return is_zero_; }
  explicit operator bool() const noexcept { return data_ != nullptr; }

 private:
  friend class StateBufferPool;
  StateBuffer(void* data, std::size_t size_bytes, bool is_zero) noexcept
      : data_(data), size_bytes_(size_bytes), is_zero_(is_zero) {}
  void swap(StateBuffer& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_bytes_, other.size_bytes_);
    std::swap(is_zero_, other.is_zero_);
  }

  void* data_ = nullptr;
  std::size_t size_bytes_ = 0;
  bool is_zero_ = false;
};

struct BufferStats {
  std::uint64_t live_bytes = 0;  // in the hands of states and workloads
  std::uint64_t live_buffers = 0;
  std::uint64_t peak_live_bytes = 0;
  std::uint64_t kept_bytes = 0;  // dead, waiting for a state of their size
  std::uint64_t kept_buffers = 0;
  std::uint64_t allocations = 0;   // taken from the system since the start
  std::uint64_t reuses = 0;        // served from kept buffers
  std::uint64_t budget_bytes = 0;  // most that is kept
};

// The process's pool of state buffers. Thread-safe. After fork() the child owns the buffers it had, copy-on-write,
// and keeps none of the dead ones.
class QFAST_API StateBufferPool {
 public:
  static StateBufferPool& instance();

  // A buffer of exactly size_bytes, aligned to 64 bytes (2 MiB from that size on). Fresh pages have not been touched:
  // the threads that will work on them should write them first. Throws Error(kCapacity) with the bytes
  // needed (by `what`), those available and the largest power of two that fits, before anything is allocated.
  StateBuffer allocate(std::size_t size_bytes, const char* what = "a state");

  // Gives kept buffers back to the system, oldest first, until at most keep_bytes are kept.
  void trim(std::size_t keep_bytes = 0);

  // Most bytes of dead buffers to keep; 0 switches recycling off. The default is an eighth of the memory limit.
  void set_budget(std::size_t budget_bytes);

  BufferStats stats();

 private:
  friend class StateBuffer;
  friend struct StateBufferPoolStorage;
  struct Kept {
    void* data;
    std::size_t size_bytes;
  };
  StateBufferPool() = default;
  void recycle(void* data, std::size_t size_bytes) noexcept;
  void trim_locked(std::size_t keep_bytes) noexcept;
  void check_capacity_locked(std::size_t size_bytes, const char* what);
  void count_live_locked(std::size_t size_bytes);

  std::mutex mutex_;
  std::vector<Kept> kept_;  // oldest first; never more than kMaxKept, so a walk along it is short
  BufferStats stats_;
  bool budget_is_set_ = false;
};

}  // namespace qfast
