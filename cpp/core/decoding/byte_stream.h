// Bytes as a decoder gets them: a file, or what was made of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "file_bytes.h"

namespace maest {

class ByteStream {
 public:
  ByteStream() = default;
  ByteStream(const ByteStream&) = delete;
  ByteStream& operator=(const ByteStream&) = delete;
  virtual ~ByteStream() = default;

  virtual std::int64_t size() const = 0;

  // At most `count` bytes from `at` on; how many there were.
  virtual std::size_t read(std::int64_t at, char* bytes, std::size_t count) = 0;
};

// Bytes of ours, then part of a file, then zeros.
class FilePart : public ByteStream {
 public:
  FilePart(std::shared_ptr<FileBytes> file, std::int64_t begin, std::int64_t end,
           std::string before = "", std::int64_t zeros = 0);

  std::int64_t size() const override;
  std::size_t read(std::int64_t at, char* bytes, std::size_t count) override;

 private:
  std::shared_ptr<FileBytes> file_;
  std::int64_t begin_;
  std::int64_t end_;
  std::string before_;
  std::int64_t zeros_;
};

}  // namespace maest
