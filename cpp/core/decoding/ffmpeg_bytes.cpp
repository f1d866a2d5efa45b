#include "ffmpeg_bytes.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <new>
#include <system_error>

#include "error.h"

namespace maest {
namespace {

// As FFmpeg's own file protocol.
constexpr int kBufferSize = 32768;

std::string system_words(int error) { return std::generic_category().message(error); }

}  // namespace

FfmpegBytes::FfmpegBytes(const FfmpegLibrary& library, const std::string& path)
    : library_(library) {
  file_ = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file_ < 0) throw AudioError(message("cannot be read: ", system_words(errno)));
  struct stat facts{};
  if (fstat(file_, &facts) != 0 || !S_ISREG(facts.st_mode)) {
    close(file_);
    throw AudioError("is not a regular file; an audio file is wanted");
  }
  size_ = facts.st_size;
  make_context();
}

FfmpegBytes::FfmpegBytes(const FfmpegLibrary& library, const std::uint8_t* bytes, std::size_t size)
    : library_(library), memory_(bytes), size_(static_cast<std::int64_t>(size)) {
  make_context();
}

FfmpegBytes::~FfmpegBytes() {
  // FFmpeg may have replaced the buffer by another.
  library_.av_free(context_->buffer);
  library_.av_free(context_);
  if (file_ >= 0) close(file_);
}

void FfmpegBytes::make_context() {
  memory_limit_.emplace(library_, size_);
  auto* const buffer = static_cast<unsigned char*>(library_.av_malloc(kBufferSize));
  if (buffer != nullptr) {
    context_ = library_.avio_alloc_context(buffer, kBufferSize, 0, this, read, nullptr, seek);
  }
  if (context_ != nullptr) return;
  library_.av_free(buffer);
  if (file_ >= 0) close(file_);
  throw std::bad_alloc();
}

std::int64_t FfmpegBytes::read_some(std::uint8_t* buffer, std::size_t size) {
  if (memory_ == nullptr) {
    ssize_t count = 0;
    do {
      count = pread(file_, buffer, size, position_);
    } while (count < 0 && errno == EINTR);
    return count;
  }
  const auto left = static_cast<std::size_t>(std::max<std::int64_t>(size_ - position_, 0));
  const std::size_t count = std::min(size, left);
  if (count > 0) std::memcpy(buffer, memory_ + position_, count);
  return static_cast<std::int64_t>(count);
}

int FfmpegBytes::read(void* self, std::uint8_t* buffer, int size) {
  auto& bytes = *static_cast<FfmpegBytes*>(self);
  const std::int64_t count = bytes.read_some(buffer, static_cast<std::size_t>(std::max(size, 0)));
  if (count > 0) {
    bytes.position_ += count;
    return static_cast<int>(count);
  }
  if (count < 0) {
    if (bytes.read_error_ == 0) bytes.read_error_ = errno;
    return -errno;
  }
  // The older generation keeps an error for good, also after a seek.
  return bytes.library_.newer ? ffmpeg::kEndOfFile : 0;
}

std::int64_t FfmpegBytes::seek(void* self, std::int64_t offset, int whence) {
  auto& bytes = *static_cast<FfmpegBytes*>(self);
  switch (whence & ~ffmpeg::kSeekForce) {
    case ffmpeg::kSeekSize:
      return bytes.size_;
    case SEEK_SET:
      break;
    case SEEK_CUR:
      offset += bytes.position_;
      break;
    case SEEK_END:
      offset += bytes.size_;
      break;
    default:
      return -EINVAL;
  }
  if (offset < 0) return -EINVAL;
  return bytes.position_ = offset;
}

}  // namespace maest
