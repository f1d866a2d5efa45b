#include "file_bytes.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "error.h"

namespace maest {

FileBytes::FileBytes(const std::string& path, std::size_t window, std::int64_t most_reads)
    : window_size_(window), reads_left_(most_reads) {
  // A pipe without a writer would block.
  descriptor_ = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  struct stat status = {};
  if (descriptor_ < 0 || fstat(descriptor_, &status) != 0) {
    const int error = errno;
    if (descriptor_ >= 0) close(descriptor_);
    throw AudioError(message("cannot be read: ", std::strerror(error)));
  }
  if (!S_ISREG(status.st_mode)) {
    close(descriptor_);
    throw AudioError("is not a regular file; an audio file is wanted");
  }
  size_ = status.st_size;
}

FileBytes::~FileBytes() { close(descriptor_); }

std::string_view FileBytes::at(std::int64_t offset, std::size_t count) {
  if (offset < 0 || offset >= size_ || count == 0) return {};
  const std::int64_t inside = offset - begin_;
  if (inside < 0 ||
      inside + static_cast<std::int64_t>(count) > static_cast<std::int64_t>(filled_)) {
    const bool at_end = begin_ + static_cast<std::int64_t>(filled_) >= size_;
    const bool has_all = inside >= 0 && at_end && inside < static_cast<std::int64_t>(filled_);
    if (!has_all) {
      if (reads_left_ == 0) return {};
      --reads_left_;
      window_.resize(std::max(window_size_, count));
      begin_ = offset;
      filled_ = copy(offset, window_.data(), window_.size());
    }
  }
  const auto from = static_cast<std::size_t>(offset - begin_);
  if (from >= filled_) return {};
  return {window_.data() + from, std::min(count, filled_ - from)};
}

std::size_t FileBytes::copy(std::int64_t offset, char* bytes, std::size_t count) const {
  std::size_t done = 0;
  while (done < count) {
    const ssize_t got =
        pread(descriptor_, bytes + done, count - done, offset + static_cast<std::int64_t>(done));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    done += static_cast<std::size_t>(got);
  }
  return done;
}

std::uint64_t FileBytes::number(std::int64_t offset, std::size_t bytes, bool is_big) {
  const std::string_view found = at(offset, bytes);
  if (found.size() < bytes) return 0;
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < bytes; ++i) {
    value = value << 8 | static_cast<unsigned char>(found[is_big ? i : bytes - 1 - i]);
  }
  return value;
}

std::uint64_t FileBytes::big(std::int64_t offset, std::size_t bytes) {
  return number(offset, bytes, true);
}

std::uint64_t FileBytes::little(std::int64_t offset, std::size_t bytes) {
  return number(offset, bytes, false);
}

bool FileBytes::starts(std::int64_t offset, std::string_view text) {
  return at(offset, text.size()) == text;
}

}  // namespace maest
