// A file's bytes, wherever they stand; what is not there reads as nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace maest {

class FileBytes {
 public:
  // What one look at a file may cost: after `most_reads` reads of `window` bytes it seems to end.
  static constexpr std::size_t kWindow = 4096;
  static constexpr std::int64_t kMostReads = 4096;

  // Throws `AudioError` where `path` is no regular file, or cannot be opened.
  explicit FileBytes(const std::string& path, std::size_t window = kWindow,
                     std::int64_t most_reads = kMostReads);
  ~FileBytes();
  FileBytes(const FileBytes&) = delete;
  FileBytes& operator=(const FileBytes&) = delete;

  std::int64_t size() const { return size_; }

  // At most `count` bytes, fewer at the end of the file; valid until the next call of any method.
  std::string_view at(std::int64_t offset, std::size_t count);

  // As many of `count` bytes as there are, past the window.
  std::size_t copy(std::int64_t offset, char* bytes, std::size_t count) const;

  // Numbers of up to 8 bytes; 0 where the file ends before.
  std::uint64_t big(std::int64_t offset, std::size_t bytes);
  std::uint64_t little(std::int64_t offset, std::size_t bytes);
  std::uint64_t number(std::int64_t offset, std::size_t bytes, bool is_big);

  bool starts(std::int64_t offset, std::string_view text);

 private:
  int descriptor_ = -1;
  std::int64_t size_ = 0;
  std::size_t window_size_;
  std::int64_t reads_left_;
  std::int64_t begin_ = 0;
  std::size_t filled_ = 0;
  std::vector<char> window_;
};

}  // namespace maest
