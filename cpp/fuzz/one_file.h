// A file that is in memory only, for functions that want a path.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace maest::fuzz {

class OneFile {
 public:
  OneFile() : descriptor_(memfd_create("input", MFD_CLOEXEC)) {
    if (descriptor_ < 0) stop("memfd_create");
    path_ = "/proc/self/fd/" + std::to_string(descriptor_);
  }
  ~OneFile() { close(descriptor_); }
  OneFile(const OneFile&) = delete;
  OneFile& operator=(const OneFile&) = delete;

  void write(const std::uint8_t* bytes, std::size_t count) {
    if (ftruncate(descriptor_, 0) != 0 || lseek(descriptor_, 0, SEEK_SET) != 0) stop("ftruncate");
    for (std::size_t done = 0; done < count;) {
      const auto more = ::write(descriptor_, bytes + done, count - done);
      if (more <= 0) stop("write");
      done += static_cast<std::size_t>(more);
    }
  }

  const std::string& path() const { return path_; }

 private:
  // Without it nothing would be tried, and all would seem well.
  [[noreturn]] static void stop(const char* what) {
    std::perror(what);
    std::abort();
  }

  int descriptor_;
  std::string path_;
};

}  // namespace maest::fuzz
