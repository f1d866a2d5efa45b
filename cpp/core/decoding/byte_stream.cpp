#include "byte_stream.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace maest {

FilePart::FilePart(std::shared_ptr<FileBytes> file, std::int64_t begin, std::int64_t end,
                   std::string before, std::int64_t zeros)
    : file_(std::move(file)),
      begin_(begin),
      end_(std::max(begin, end)),
      before_(std::move(before)),
      zeros_(zeros) {}

std::int64_t FilePart::size() const {
  return static_cast<std::int64_t>(before_.size()) + end_ - begin_ + zeros_;
}

std::size_t FilePart::read(std::int64_t at, char* bytes, std::size_t count) {
  std::size_t done = 0;
  // As long as there is something: a file that has become shorter ends earlier.
  while (done < count) {
    const std::int64_t here = at + static_cast<std::int64_t>(done);
    const std::int64_t in_file = here - static_cast<std::int64_t>(before_.size());
    const auto left = static_cast<std::int64_t>(count - done);
    std::size_t got = 0;
    if (in_file < 0) {
      got = static_cast<std::size_t>(std::min(left, -in_file));
      std::memcpy(bytes + done, before_.data() + here, got);
    } else if (in_file < end_ - begin_) {
      const std::int64_t wanted = std::min(left, end_ - begin_ - in_file);
      got = file_->copy(begin_ + in_file, bytes + done, static_cast<std::size_t>(wanted));
    } else {
      got = static_cast<std::size_t>(std::clamp<std::int64_t>(size() - here, 0, left));
      std::memset(bytes + done, 0, got);
    }
    if (got == 0) break;
    done += got;
  }
  return done;
}

}  // namespace maest
