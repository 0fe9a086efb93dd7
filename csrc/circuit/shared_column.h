// A column that is appended to and shared: what a circuit is made of.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <span>
#include <type_traits>
#include <utility>

namespace qfast {

// Entries are written once, behind the last one, and never changed. A copy shares them, at no cost for any length, and
// keeps them when the original grows: a full column moves to a longer buffer, the old one lives as long as its holders.
// Only the column that allocated a buffer appends to it; a copy moves to a buffer of its own first.
template <class T>
class SharedColumn {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  SharedColumn() = default;
  SharedColumn(std::initializer_list<T> values) { append({values.begin(), values.size()}); }
  SharedColumn(const SharedColumn& other) : buffer_(other.buffer_), size_(other.size_), capacity_(other.size_) {}
  SharedColumn(SharedColumn&& other) noexcept
      : buffer_(std::move(other.buffer_)), size_(other.size_), capacity_(other.capacity_) {
    other.size_ = other.capacity_ = 0;
  }
  SharedColumn& operator=(SharedColumn other) noexcept {
    buffer_.swap(other.buffer_);
    std::swap(size_, other.size_);
    std::swap(capacity_, other.capacity_);
    return *this;
  }
  ~SharedColumn() = default;

  void push_back(T value) {
    if (size_ == capacity_) [[unlikely]]
      grow(size_ + 1);
    buffer_[static_cast<std::ptrdiff_t>(size_++)] = value;
  }

  // Makes room for `count` entries behind the last one, to be written at once.
  T* extend(std::size_t count) {
    if (count > capacity_ - size_) grow(size_ + count);
    T* const first = buffer_.get() + size_;
    size_ += count;
    return first;
  }

  void append(std::span<const T> values) {
    if (!values.empty()) std::memcpy(extend(values.size()), values.data(), values.size_bytes());
  }

  const T* data() const { return buffer_.get(); }
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  const T& operator[](std::size_t index) const { return buffer_[static_cast<std::ptrdiff_t>(index)]; }
  const T& back() const { return (*this)[size_ - 1]; }
  const T* begin() const { return data(); }
  const T* end() const { return data() + size_; }

  // What keeps data() alive.
  std::shared_ptr<const void> owner() const { return buffer_; }

 private:
  static constexpr std::size_t kFirstCapacity = 16;

  void grow(std::size_t needed) {
    const std::size_t capacity = std::max({needed, 2 * size_, kFirstCapacity});
    std::shared_ptr<T[]> larger = std::make_shared_for_overwrite<T[]>(capacity);
    if (size_ > 0) std::memcpy(larger.get(), buffer_.get(), size_ * sizeof(T));
    buffer_ = std::move(larger);
    capacity_ = capacity;
  }

  std::shared_ptr<T[]> buffer_;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

}  // namespace qfast
