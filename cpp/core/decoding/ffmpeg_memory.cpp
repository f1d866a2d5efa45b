#include "ffmpeg_memory.h"

#include <algorithm>
#include <limits>
#include <mutex>
#include <set>

namespace maest {
namespace {

// As FFmpeg has it by itself.
constexpr std::int64_t kMost = std::numeric_limits<int>::max();
// Tables of what is in a file take four times as much as the shortest packets, with room to grow.
constexpr std::int64_t kBytesPerByte = 16;
constexpr std::int64_t kLeast = std::int64_t{64} << 20;

std::mutex mutex;
// Never freed: threads may still decode while a process ends.
std::multiset<std::int64_t>& limits = *new std::multiset<std::int64_t>;

// With the mutex held.
void apply(const FfmpegLibrary& library) {
  library.av_max_alloc(static_cast<std::size_t>(limits.empty() ? kMost : *limits.rbegin()));
}

}  // namespace

std::int64_t FfmpegMemory::limit(std::int64_t file_bytes) {
  return std::min(kMost, kLeast + kBytesPerByte * std::min(file_bytes, kMost));
}

FfmpegMemory::FfmpegMemory(const FfmpegLibrary& library, std::int64_t file_bytes)
    : library_(library), bytes_(limit(file_bytes)) {
  if (library_.av_max_alloc == nullptr) return;
  const std::lock_guard<std::mutex> lock(mutex);
  limits.insert(bytes_);
  apply(library_);
}

FfmpegMemory::~FfmpegMemory() {
  if (library_.av_max_alloc == nullptr) return;
  const std::lock_guard<std::mutex> lock(mutex);
  limits.erase(limits.find(bytes_));
  apply(library_);
}

}  // namespace maest
