#include "ogg_parts.h"

#include <algorithm>
#include <utility>

#include "error.h"
#include "ogg_pages.h"
#include "opus_stream.h"

namespace maest {
namespace {

constexpr std::size_t kLongestPage = 27 + 255 + 255 * 255;
constexpr std::size_t kMostParts = 10000;

class Split {
 public:
  Split(std::shared_ptr<FileBytes> file, std::int64_t begin) : file_(std::move(file)), at_(begin) {}

  OggParts run() {
    while (at_ < file_->size() && found_.parts.size() < kMostParts) {
      const std::string_view bytes = file_->at(at_, kLongestPage);
      const auto page = read_ogg_page(bytes);
      if (!page || page->size() > bytes.size() ||
          ogg_checksum(bytes.substr(0, page->size())) != page->checksum) {
        lose();
        continue;
      }
      if (page->begins_stream) {
        begin_stream(*page, bytes.substr(page->header, page->body));
      } else {
        starting_ = false;
        if (opus_ && page->serial == opus_->serial()) {
          if (page->sequence != sequence_ + 1) {
            missing_ = true;
            opus_->interrupt();
          }
          sequence_ = page->sequence;
          opus_->add(at_, *page, bytes.substr(0, page->size()));
        }
      }
      at_ += static_cast<std::int64_t>(page->size());
    }
    end_stream();
    if (missing_) note("pages are missing");
    if (dropped_) note("packets are no Opus");
    if (lost_ > 0) note(message(lost_, " bytes are no whole pages"));
    return std::move(found_);
  }

 private:
  // What is here is no whole page: on to the next.
  void lose() {
    if (opus_) opus_->interrupt();
    const std::int64_t from = at_;
    do {
      ++at_;
      const std::string_view piece = file_->at(at_, kLongestPage);
      const std::size_t next = piece.find("OggS");
      if (next != std::string_view::npos) {
        at_ += static_cast<std::int64_t>(next);
        break;
      }
      at_ += static_cast<std::int64_t>(std::max<std::size_t>(piece.size(), 4)) - 4;
    } while (at_ + 4 < file_->size());
    if (at_ + 4 >= file_->size()) at_ = file_->size();
    lost_ += at_ - from;
  }

  void note(const std::string& what) {
    found_.damage += (found_.damage.empty() ? "" : "; ") + what;
  }

  void begin_stream(const OggPage& page, std::string_view body) {
    const bool is_opus = body.substr(0, 8) == "OpusHead" && body.size() >= 19;
    // Of streams side by side the first one is heard.
    if (starting_ && (opus_ || !is_opus)) return;
    if (!starting_) {
      end_stream();
      starting_ = true;
      begin_ = at_;
      is_first_ = true;
    }
    if (is_opus) {
      opus_ = std::make_unique<OpusStream>(file_, body, page.serial);
      sequence_ = page.sequence;
    }
  }

  void end_stream() {
    if (opus_) {
      opus_->finish();
      dropped_ = dropped_ || opus_->dropped();
      missing_ = missing_ || !opus_->ended();
      OggPart part;
      part.samples = opus_->samples();
      part.channels = opus_->channels();
      if (opus_->has_sound()) {
        part.bytes = std::move(opus_);
        found_.parts.push_back(std::move(part));
      }
      opus_.reset();
    } else if (is_first_) {
      OggPart part;
      part.bytes = std::make_unique<FilePart>(file_, begin_, at_);
      found_.parts.push_back(std::move(part));
    }
    is_first_ = false;
  }

  std::shared_ptr<FileBytes> file_;
  std::int64_t at_;
  std::int64_t begin_ = 0;  // of the stream that is read
  bool starting_ = false;   // only first pages came so far
  bool is_first_ = false;   // a stream is read
  std::unique_ptr<OpusStream> opus_;
  std::uint32_t sequence_ = 0;
  std::int64_t lost_ = 0;  // bytes
  bool missing_ = false;   // pages
  bool dropped_ = false;   // packets
  OggParts found_;
};

}  // namespace

OggParts split_ogg(std::shared_ptr<FileBytes> file, std::int64_t begin) {
  return Split(std::move(file), begin).run();
}

}  // namespace maest
