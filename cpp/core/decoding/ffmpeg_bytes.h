// Where FFmpeg reads: a file that we opened, or memory. No name ever reaches FFmpeg, so that it
// opens nothing by itself.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "ffmpeg_library.h"
#include "ffmpeg_memory.h"

namespace maest {

class FfmpegBytes {
 public:
  // Throws `AudioError` where the file cannot be opened.
  FfmpegBytes(const FfmpegLibrary& library, const std::string& path);
  // The memory is not copied.
  FfmpegBytes(const FfmpegLibrary& library, const std::uint8_t* bytes, std::size_t size);
  FfmpegBytes(const FfmpegBytes&) = delete;
  FfmpegBytes& operator=(const FfmpegBytes&) = delete;
  ~FfmpegBytes();

  ffmpeg::AVIOContext* context() { return context_; }

  // The errno of the first read that failed; 0: none did.
  int read_error() const { return read_error_; }

 private:
  void make_context();
  static int read(void* self, std::uint8_t* buffer, int size);
  static std::int64_t seek(void* self, std::int64_t offset, int whence);
  std::int64_t read_some(std::uint8_t* buffer, std::size_t size);

  const FfmpegLibrary& library_;
  std::optional<FfmpegMemory> memory_limit_;
  int file_ = -1;
  const std::uint8_t* memory_ = nullptr;
  std::int64_t size_ = 0;
  std::int64_t position_ = 0;
  int read_error_ = 0;
  ffmpeg::AVIOContext* context_ = nullptr;
};

}  // namespace maest
