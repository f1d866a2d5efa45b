#include "sndfile_stream.h"

#include <algorithm>
#include <cstdio>
#include <limits>

#include "error.h"

namespace maest {
namespace {

constexpr int kMostChannels = 1024;       // of libsndfile
constexpr int kHighestRate = 10'000'000;  // Hz

}  // namespace

SndfileStream::SndfileStream(ByteStream& bytes) : functions_(sndfile_functions()), bytes_(bytes) {
  SndfileIo io{
      [](void* data) { return self(data).bytes_.size(); },
      [](std::int64_t offset, int whence, void* data) { return self(data).go(offset, whence); },
      [](void* to, std::int64_t count, void* data) { return self(data).give(to, count); },
      [](const void*, std::int64_t, void*) { return std::int64_t{0}; },
      [](void* data) { return self(data).at_; },
  };
  file_ = functions_.open_virtual(&io, SndfileFunctions::kRead, &info_, this);
  if (file_ == nullptr) {
    throw AudioError(message("libsndfile cannot open it: ", text(nullptr)));
  }
  if (info_.rate < 1 || info_.rate > kHighestRate || info_.channels < 1 ||
      info_.channels > kMostChannels) {
    functions_.close(file_);
    throw AudioError(message("it says that it has ", info_.channels, " channels at ", info_.rate,
                             " Hz, which cannot be"));
  }
}

SndfileStream::~SndfileStream() { functions_.close(file_); }

std::size_t SndfileStream::read(float* samples, std::int64_t count) {
  return static_cast<std::size_t>(
      std::clamp<std::int64_t>(functions_.readf_float(file_, samples, count), 0, count));
}

bool SndfileStream::seek(std::int64_t sample) {
  return functions_.seek(file_, sample, SEEK_SET) == sample;
}

std::string SndfileStream::text(SndfileFunctions::File* file) const {
  std::string reason = functions_.strerror(file);
  while (!reason.empty() && (reason.back() == '.' || reason.back() == '\n')) reason.pop_back();
  return reason;
}

std::int64_t SndfileStream::go(std::int64_t offset, int whence) {
  const std::int64_t from = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? at_ : bytes_.size();
  if (offset < -from || offset > std::numeric_limits<std::int64_t>::max() / 2) return -1;
  at_ = from + offset;
  return at_;
}

std::int64_t SndfileStream::give(void* to, std::int64_t count) {
  if (count <= 0) return 0;
  const std::size_t got = bytes_.read(at_, static_cast<char*>(to), static_cast<std::size_t>(count));
  at_ += static_cast<std::int64_t>(got);
  return static_cast<std::int64_t>(got);
}

}  // namespace maest
