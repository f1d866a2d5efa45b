#include "opus_stream.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "opus_packet.h"

namespace maest {
namespace {

constexpr std::size_t kFixed = 27;
constexpr std::size_t kMostSegments = 255;
constexpr std::uint8_t kBegins = 2;
constexpr std::uint8_t kEnds = 4;

void put(std::string& bytes, std::size_t at, std::uint64_t number, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) bytes[at + i] = static_cast<char>(number >> 8 * i & 0xFF);
}

std::string make_page(std::uint8_t flags, std::int64_t granule, std::uint32_t serial,
                      std::uint32_t sequence, std::string_view segments, std::string_view body) {
  std::string page(kFixed, '\0');
  page.replace(0, 4, "OggS");
  page[5] = static_cast<char>(flags);
  put(page, 6, static_cast<std::uint64_t>(granule), 8);
  put(page, 14, serial, 4);
  put(page, 18, sequence, 4);
  page[26] = static_cast<char>(segments.size());
  page.append(segments).append(body);
  put(page, 22, ogg_checksum(page), 4);
  return page;
}

std::string segments_of(std::size_t bytes) {
  return std::string(bytes / 255, '\xff') + static_cast<char>(bytes % 255);
}

}  // namespace

OpusStream::OpusStream(std::shared_ptr<FileBytes> file, std::string_view head, std::uint32_t serial)
    : file_(std::move(file)), serial_(serial) {
  // It also says which rate the sound had once; libsndfile would decode at that one.
  std::string own(head.substr(0, kMostSegments - 1));
  if (own.size() >= 19) {
    skipped_ = static_cast<unsigned char>(own[10]) | static_cast<unsigned char>(own[11]) << 8;
    put(own, 12, kOpusRate, 4);
  }
  std::string tags("OpusTags");
  tags.append(std::string("\x05\0\0\0maest\0\0\0\0", 13));
  head_ = make_page(kBegins, 0, serial_, 0, segments_of(own.size()), own) +
          make_page(0, 0, serial_, 1, segments_of(tags.size()), tags);
  size_ = static_cast<std::int64_t>(head_.size());
}

int OpusStream::channels() const { return static_cast<unsigned char>(head_[kFixed + 1 + 9]); }

std::int64_t OpusStream::samples() const {
  return std::max<std::int64_t>((pages_.empty() ? 0 : pages_.back().granule) - skipped_, 0);
}

void OpusStream::interrupt() { is_open_ = false; }

void OpusStream::add_page(const Page& page, std::size_t body, int samples) {
  granule_ += samples;
  pages_.push_back(page);
  pages_.back().begin = size_;
  pages_.back().granule = granule_;
  size_ += static_cast<std::int64_t>(kFixed + page.segments + body);
}

void OpusStream::add(std::int64_t offset, const OggPage& page, std::string_view bytes) {
  const std::string_view segments = bytes.substr(kFixed, page.header - kFixed);
  const std::string_view body = bytes.substr(page.header);
  if (!page.continues) interrupt();
  bool skips = page.continues && !is_open_;  // the rest of a packet whose beginning is lost
  const bool was_ended = std::exchange(ended_, page.ends_stream);
  if (page.granule >= 0 || page.ends_stream) {
    granule_before_ = was_ended ? -1 : last_granule_;
    last_granule_ = page.granule;
    samples_of_last_ = 0;
  }
  Page run{0, offset, 0, 0, 0, false};
  std::size_t run_bytes = 0;
  int run_samples = 0;
  const auto close_run = [&](std::size_t next) {
    if (run.segments > 0) add_page(run, run_bytes, run_samples);
    run.first = static_cast<std::uint8_t>(next);
    run.segments = 0;
    run_bytes = 0;
    run_samples = 0;
  };
  std::size_t at = 0;
  std::size_t begin = 0;          // of the packet, in the body
  std::size_t first_segment = 0;  // likewise
  for (std::size_t i = 0; i < segments.size(); ++i) {
    const auto length = static_cast<unsigned char>(segments[i]);
    at += length;
    if (length == 255) continue;
    const std::string_view packet = body.substr(begin, at - begin);
    const std::size_t count = i + 1 - first_segment;
    const bool spans = is_open_;
    const std::size_t all_segments = count + (spans ? open_segments_ : 0);
    const std::size_t all_bytes = packet.size() + (spans ? open_bytes_ : 0);
    const std::string start =
        (spans ? open_start_ : std::string()) + std::string(packet.substr(0, 2));
    const bool is_tags = !has_tags_;
    const int samples = is_tags || skips ? 0 : opus_packet_samples(start);
    if (skips) {
      skips = false;
    } else if (is_tags) {
      has_tags_ = true;
    } else if (samples == 0 || all_segments > kMostSegments) {
      dropped_ = true;
    } else if (spans) {
      samples_of_last_ += samples;
      add_page({0, open_source_, 0, open_first_, static_cast<std::uint8_t>(all_segments), true},
               all_bytes, samples);
    } else {
      if (run.segments == 0) run.first = static_cast<std::uint8_t>(first_segment);
      run.segments = static_cast<std::uint8_t>(run.segments + count);
      run_bytes += packet.size();
      run_samples += samples;
      samples_of_last_ += samples;
    }
    const bool in_run = run.segments > 0 && run.first + run.segments == static_cast<int>(i + 1);
    if (!in_run) close_run(i + 1);
    is_open_ = false;
    begin = at;
    first_segment = i + 1;
  }
  close_run(0);
  if (first_segment == segments.size() || skips) return;
  if (!is_open_) {
    open_start_.clear();
    open_bytes_ = open_segments_ = 0;
    open_source_ = offset;
    open_first_ = static_cast<std::uint8_t>(first_segment);
    is_open_ = true;
  }
  open_start_ = (open_start_ + std::string(body.substr(begin, 2))).substr(0, 2);
  open_bytes_ += at - begin;
  open_segments_ += segments.size() - first_segment;
}

void OpusStream::finish() {
  if (pages_.empty() || !ended_ || last_granule_ < 0) return;
  // The last page's position may be before its packets' end: what is more is not heard.
  const std::int64_t before = std::max<std::int64_t>(granule_before_, 0);
  const std::int64_t more = before + samples_of_last_ - last_granule_;
  const std::int64_t start = pages_.size() > 1 ? pages_[pages_.size() - 2].granule : 0;
  const std::int64_t most = pages_.back().granule - start;
  pages_.back().granule -= std::clamp<std::int64_t>(more, 0, most);
}

std::string OpusStream::gather(const Page& page) {
  // The lengths of its segments are all 255 but the last one's.
  std::string segments;
  std::string body;
  std::int64_t at = page.source;
  std::size_t first = page.first;
  for (;;) {
    const std::string bytes(file_->at(at, kFixed + kMostSegments + kMostSegments * 255));
    const auto source = read_ogg_page(bytes);
    if (!source || bytes.size() < source->size()) break;
    if (source->serial == serial_) {
      std::size_t offset = source->header;
      const std::size_t all = source->header - kFixed;
      for (std::size_t i = 0; i < all && segments.size() < page.segments; ++i) {
        const auto length = static_cast<unsigned char>(bytes[kFixed + i]);
        if (i >= first) {
          segments += static_cast<char>(length);
          body.append(bytes, offset, length);
        }
        offset += length;
      }
      first = 0;
    }
    at += static_cast<std::int64_t>(source->size());
    if (!page.spans || segments.size() >= page.segments) break;
  }
  return segments + body;
}

const std::string& OpusStream::page_bytes(std::size_t index) {
  if (built_ == index) return built_bytes_;
  const Page& page = pages_[index];
  std::string content = gather(page);
  content.resize(std::max<std::size_t>(content.size(), page.segments));  // the file has changed
  const std::uint8_t flags = index + 1 == pages_.size() ? kEnds : 0;
  const std::string_view view = content;
  built_bytes_ = make_page(flags, page.granule, serial_, static_cast<std::uint32_t>(index + 2),
                           view.substr(0, page.segments), view.substr(page.segments));
  built_ = index;
  return built_bytes_;
}

std::size_t OpusStream::read(std::int64_t at, char* bytes, std::size_t count) {
  std::size_t done = 0;
  const auto take = [&](std::string_view from, std::int64_t offset) {
    if (offset < 0 || offset >= static_cast<std::int64_t>(from.size())) return false;
    const std::string_view rest = from.substr(static_cast<std::size_t>(offset));
    const std::size_t got = std::min(rest.size(), count - done);
    std::memcpy(bytes + done, rest.data(), got);
    done += got;
    return true;
  };
  while (done < count) {
    const std::int64_t here = at + static_cast<std::int64_t>(done);
    if (here < 0 || here >= size_) break;
    if (take(head_, here)) continue;
    const auto next = std::upper_bound(
        pages_.begin(), pages_.end(), here,
        [](std::int64_t position, const Page& page) { return position < page.begin; });
    const auto index = static_cast<std::size_t>(next - pages_.begin() - 1);
    if (!take(page_bytes(index), here - pages_[index].begin)) break;
  }
  return done;
}

}  // namespace maest
