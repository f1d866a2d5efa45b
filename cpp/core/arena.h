// Memory for kernels: one allocation, handed out in pieces.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <new>

namespace maest {

// Each piece is aligned for the kernels; not cleared.
class Arena {
 public:
  static constexpr std::size_t kAlignment = 64;  // bytes

  explicit Arena(std::size_t bytes)
      : memory_(static_cast<std::byte*>(std::aligned_alloc(kAlignment, padded(bytes)))) {
    if (!memory_) throw std::bad_alloc();
  }

  // What a piece of `count` values takes.
  template <typename T>
  static std::size_t bytes(std::size_t count) {
    return padded(count * sizeof(T));
  }

  template <typename T>
  T* take(std::size_t count) {
    T* const taken = reinterpret_cast<T*>(memory_.get() + used_);
    used_ += bytes<T>(count);
    return taken;
  }

 private:
  static std::size_t padded(std::size_t bytes) {
    return (bytes + kAlignment - 1) / kAlignment * kAlignment;
  }

  struct Free {
    void operator()(std::byte* memory) const { std::free(memory); }
  };
  std::unique_ptr<std::byte, Free> memory_;
  std::size_t used_ = 0;
};

}  // namespace maest
