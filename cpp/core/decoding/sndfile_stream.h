// A stream of bytes, opened by libsndfile.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "byte_stream.h"
#include "sndfile_library.h"

namespace maest {

class SndfileStream {
 public:
  // `bytes` has to outlive it. Throws `AudioError` where libsndfile cannot open them.
  explicit SndfileStream(ByteStream& bytes);
  ~SndfileStream();
  SndfileStream(const SndfileStream&) = delete;
  SndfileStream& operator=(const SndfileStream&) = delete;

  const SndfileInfo& info() const { return info_; }

  // At most `count` samples of each channel, interleaved; how many there were.
  std::size_t read(float* samples, std::int64_t count);

  // The last read() failed, and why.
  bool failed() const { return functions_.error(file_) != 0; }
  std::string reason() const { return text(file_); }

  bool seek(std::int64_t sample);

 private:
  static SndfileStream& self(void* data) { return *static_cast<SndfileStream*>(data); }

  std::string text(SndfileFunctions::File* file) const;
  std::int64_t go(std::int64_t offset, int whence);
  std::int64_t give(void* to, std::int64_t count);

  const SndfileFunctions& functions_;
  ByteStream& bytes_;
  std::int64_t at_ = 0;
  SndfileInfo info_{};
  SndfileFunctions::File* file_ = nullptr;
};

}  // namespace maest
