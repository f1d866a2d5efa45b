// One Opus stream, paged anew as it is read.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "byte_stream.h"
#include "ogg_pages.h"

namespace maest {

class OpusStream : public ByteStream {
 public:
  // `head`: the packet that begins with "OpusHead".
  OpusStream(std::shared_ptr<FileBytes> file, std::string_view head, std::uint32_t serial);

  // The stream's next page, whose checksum is right; its bytes.
  void add(std::int64_t offset, const OggPage& page, std::string_view bytes);
  // Pages are missing here, or were damaged.
  void interrupt();
  void finish();

  bool has_sound() const { return !pages_.empty(); }
  std::uint32_t serial() const { return serial_; }
  std::int64_t samples() const;  // of each channel that are heard; known after finish()
  int channels() const;
  bool ended() const { return ended_; }      // its last page said so
  bool dropped() const { return dropped_; }  // packets that cannot be decoded were left out

  std::int64_t size() const override { return size_; }
  std::size_t read(std::int64_t at, char* bytes, std::size_t count) override;

 private:
  // A page of ours: packets that lie wholly in one page of the file, or one that spans several.
  struct Page {
    std::int64_t begin;    // in this stream
    std::int64_t source;   // the file's page where it begins
    std::int64_t granule;  // samples until its end
    std::uint8_t first;    // segment of that page
    std::uint8_t segments;
    bool spans;
  };

  void add_page(const Page& page, std::size_t body, int samples);
  const std::string& page_bytes(std::size_t index);
  std::string gather(const Page& page);

  std::shared_ptr<FileBytes> file_;
  std::uint32_t serial_;
  std::string head_;  // the two pages before the sound
  int skipped_ = 0;   // samples at the beginning that are not heard
  std::vector<Page> pages_;
  std::int64_t size_ = 0;
  std::int64_t granule_ = 0;

  // The packet that the last page left unfinished.
  bool is_open_ = false;
  std::string open_start_;  // its first two bytes
  std::size_t open_bytes_ = 0;
  std::size_t open_segments_ = 0;
  std::int64_t open_source_ = 0;
  std::uint8_t open_first_ = 0;

  bool has_tags_ = false;
  bool ended_ = false;
  bool dropped_ = false;
  std::int64_t last_granule_ = -1;    // of the file's last page
  std::int64_t granule_before_ = -1;  // of the one before it
  std::int64_t samples_of_last_ = 0;  // in packets that end on the last page

  std::size_t built_ = SIZE_MAX;
  std::string built_bytes_;
};

}  // namespace maest
