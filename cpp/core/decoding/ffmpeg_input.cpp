#include "ffmpeg_input.h"

#include <algorithm>
#include <cerrno>
#include <new>
#include <string_view>

#include "error.h"
#include "ffmpeg_opening.h"
#include "mpeg_header.h"

namespace maest {
namespace {

// What decoders may read behind a packet.
constexpr std::size_t kPadding = 64;

// No codec has more; it is far from where sizes overflow.
constexpr int kMostChannels = 255;

// AVSampleFormat.
bool known_format(int number, SampleFormat& format) {
  static constexpr SampleFormat kFormats[] = {
      {SampleType::u8, false},  {SampleType::s16, false}, {SampleType::s32, false},
      {SampleType::f32, false}, {SampleType::f64, false}, {SampleType::u8, true},
      {SampleType::s16, true},  {SampleType::s32, true},  {SampleType::f32, true},
      {SampleType::f64, true},  {SampleType::s64, false}, {SampleType::s64, true},
  };
  constexpr int kCount = sizeof(kFormats) / sizeof(kFormats[0]);
  if (number < 0 || number >= kCount) return false;
  format = kFormats[number];
  return true;
}

// As the header of a frame of MPEG audio says, in Hz; 0: it is none.
int mpeg_rate(const std::uint8_t* bytes, int size) {
  if (size < 4) return 0;
  std::uint32_t word = 0;
  for (int i = 0; i < 4; ++i) word = word << 8 | bytes[i];
  const auto header = read_mpeg_header(word);
  return header ? header->rate : 0;
}

template <typename Stream>
void keep_only(ffmpeg::AVFormatContext& format, int wanted) {
  for (unsigned i = 0; i < format.nb_streams; ++i) {
    if (static_cast<int>(i) == wanted) continue;
    static_cast<Stream*>(format.streams[i])->discard = ffmpeg::kDiscardAll;
  }
}

// A block of metadata, as joined streams have them in the middle, in Ogg one a packet.
bool is_flac_metadata(const ffmpeg::AVPacket& packet) {
  if (packet.size < 5) return false;
  const std::string_view bytes(reinterpret_cast<const char*>(packet.data),
                               static_cast<std::size_t>(packet.size));
  if (bytes.substr(0, 5) ==
          "\x7F"
          "FLAC" ||
      bytes.substr(0, 4) == "fLaC")
    return true;
  const int length = packet.data[1] << 16 | packet.data[2] << 8 | packet.data[3];
  return (packet.data[0] & 0x7F) <= 6 && length == packet.size - 4;
}

auto& older_stream(void* stream) { return *static_cast<ffmpeg::v56::AVStream*>(stream); }
auto& newer_stream(void* stream) { return *static_cast<ffmpeg::v61::AVStream*>(stream); }

}  // namespace

FfmpegInput::FfmpegInput(const FfmpegLibrary& library, FfmpegBytes& bytes,
                         const std::string& demuxer, const std::string& decoder, FlacFrames* frames)
    : library_(library), bytes_(bytes), frames_(frames) {
  // For the whole library, and whenever a file is opened, as Essentia's AudioLoader does: importing
  // Essentia sets another level.
  library_.av_log_set_level(ffmpeg::kLogQuiet);
  tags_between_ = demuxer == "mp3" || demuxer == "aac";
  const FfmpegOpening opening;
  try {
    open(demuxer, decoder);
  } catch (...) {
    close();
    throw;
  }
}

FfmpegInput::~FfmpegInput() {
  const FfmpegOpening opening;
  close();
}

void FfmpegInput::open(const std::string& demuxer, const std::string& decoder) {
  const void* const known = library_.av_find_input_format(demuxer.c_str());
  if (known == nullptr) {
    throw AudioError(message(library_.version, " has no demuxer '", demuxer, "'"));
  }
  frame_ = library_.av_frame_alloc();
  format_ = library_.avformat_alloc_context();
  if (library_.newer) {
    packet_ = library_.av_packet_alloc();
  } else {
    packet_ = &older_packet_.packet;
    library_.av_init_packet(packet_);
    packet_->data = nullptr;
    packet_->size = 0;
  }
  if (frame_ == nullptr || format_ == nullptr || packet_ == nullptr) throw std::bad_alloc();
  format_->pb = bytes_.context();
  // It frees the context where it fails.
  int error = library_.avformat_open_input(&format_, "", known, nullptr);
  if (error >= 0 && frames_ == nullptr) {
    error = library_.avformat_find_stream_info(format_, nullptr);
  }
  if (error < 0) {
    throw AudioError(message("FFmpeg cannot open it: ", library_.words(error)));
  }
  choose_stream();
  open_codec(decoder);
  const std::string codec = this->codec();
  flac_ = codec == "flac";
  if (codec.rfind("pcm_", 0) == 0) pcm_bits_ = library_.av_get_bits_per_sample(codec_id());
  mpeg_ = codec == "mp1" || codec == "mp2" || codec == "mp3";
}

// The first one, as Essentia's AudioLoader.
void FfmpegInput::choose_stream() {
  for (unsigned i = 0; i < format_->nb_streams; ++i) {
    void* const stream = format_->streams[i];
    const int type = library_.newer ? newer_stream(stream).codecpar->codec_type
                                    : older_stream(stream).codec->codec_type;
    if (type != ffmpeg::kAudio) continue;
    stream_ = stream;
    stream_index_ = static_cast<int>(i);
    break;
  }
  if (stream_ == nullptr) throw AudioError("no audio stream in it");
  if (library_.newer) {
    keep_only<ffmpeg::v61::AVStream>(*format_, stream_index_);
  } else {
    keep_only<ffmpeg::v56::AVStream>(*format_, stream_index_);
  }
}

void FfmpegInput::open_codec(const std::string& decoder) {
  const void* const known = decoder.empty()
                                ? library_.avcodec_find_decoder(codec_id())
                                : library_.avcodec_find_decoder_by_name(decoder.c_str());
  if (known == nullptr) {
    throw AudioError(message(library_.version, " has no decoder ",
                             decoder.empty() ? "for " + codec() : decoder));
  }
  int error = 0;
  void* context = nullptr;
  if (library_.newer) {
    context = codec_ = library_.avcodec_alloc_context3(known);
    if (codec_ == nullptr) throw std::bad_alloc();
    error = library_.avcodec_parameters_to_context(codec_, newer_stream(stream_).codecpar);
  } else {
    context = older_stream(stream_).codec;
  }
  if (error >= 0) error = library_.avcodec_open2(context, known, nullptr);
  if (error < 0) {
    throw AudioError(message("FFmpeg cannot decode ", codec(), ": ", library_.words(error)));
  }
  codec_ = context;
}

void FfmpegInput::close() {
  if (library_.newer) {
    if (codec_ != nullptr) library_.avcodec_free_context(&codec_);
    if (packet_ != nullptr) library_.av_packet_free(&packet_);
  } else {
    if (packet_ != nullptr) library_.av_packet_unref(packet_);
    if (codec_ != nullptr) library_.avcodec_close(codec_);
  }
  if (frame_ != nullptr) library_.av_frame_free(&frame_);
  if (format_ != nullptr) library_.avformat_close_input(&format_);
}

int FfmpegInput::codec_id() const {
  return library_.newer ? newer_stream(stream_).codecpar->codec_id
                        : older_stream(stream_).codec->codec_id;
}

ffmpeg::AVRational FfmpegInput::time_base() const {
  return library_.newer ? newer_stream(stream_).time_base : older_stream(stream_).time_base;
}

std::int64_t FfmpegInput::duration() const {
  return library_.newer ? newer_stream(stream_).duration : older_stream(stream_).duration;
}

bool FfmpegInput::read_packet() {
  drop_packet();
  if (frames_ != nullptr) return read_frame();
  while (!draining_) {
    const int error = library_.av_read_frame(format_, packet_);
    if (error != 0) {
      draining_ = true;
      if (bytes_.read_error() != 0) {
        stop_ = message("the file cannot be read: ", library_.words(-bytes_.read_error()));
      } else if (error != ffmpeg::kEndOfFile && error != -EIO) {  // RealMedia's word for the end
        stop_ = message("reading ended early: ", library_.words(error));
      }
      // Without data a packet asks the decoder for what it holds back.
      drop_packet();
      to_send_ = true;
      return false;
    }
    if (packet_->stream_index == stream_index_ && !(flac_ && is_flac_metadata(*packet_))) {
      to_send_ = true;
      packet_is_tag_ = may_be_a_tag();
      mpeg_rate_ = mpeg_ ? mpeg_rate(packet_->data, packet_->size) : 0;
      if (flac_ && packet_->size > 0) {
        pad(packet_->data, static_cast<std::size_t>(packet_->size));
      }
      return true;
    }
    drop_packet();
  }
  return false;
}

bool FfmpegInput::read_frame() {
  to_send_ = true;
  if (draining_ || !frames_->next()) {
    draining_ = true;
    return false;
  }
  const std::string_view frame = frames_->bytes();
  pad(reinterpret_cast<const std::uint8_t*>(frame.data()), frame.size());
  return true;
}

// Past the end of a damaged frame the older generation counts zeros for seconds until it finds a
// one. Its packets have zeros behind them.
void FfmpegInput::pad(const std::uint8_t* bytes, std::size_t size) {
  padded_.resize(size + kPadding);
  std::fill(std::copy_n(bytes, size, padded_.begin()), padded_.end(), std::uint8_t{0xFF});
  packet_->data = padded_.data();
  packet_->size = static_cast<int>(size);
}

void FfmpegInput::drop_packet() {
  library_.av_packet_unref(packet_);
  packet_->data = nullptr;
  packet_->size = 0;
  to_send_ = false;
}

bool FfmpegInput::decode(FfmpegFrame& frame) {
  while (library_.newer ? decode_newer() : decode_older()) {
    if (view(frame)) return true;
  }
  return false;
}

bool FfmpegInput::decode_older() {
  while (!drained_ && (draining_ || packet_->size > 0)) {
    library_.av_frame_unref(frame_);
    int complete = 0;
    const int used = library_.avcodec_decode_audio4(codec_, frame_, &complete, packet_);
    if (draining_) {
      drained_ = used < 0 || complete == 0;
    } else if (used < 0) {
      count_fault(library_.words(used));
      drop_packet();
    } else if (used >= packet_->size || (used == 0 && complete == 0) || frames_ != nullptr) {
      drop_packet();
    } else {  // a packet may have several frames
      packet_->data += used;
      packet_->size -= used;
    }
    if (used >= 0 && complete != 0) return true;
  }
  return false;
}

bool FfmpegInput::decode_newer() {
  if (to_send_) {
    to_send_ = false;
    gave_frame_ = false;
    const int error = library_.avcodec_send_packet(codec_, draining_ ? nullptr : packet_);
    if (error < 0 && error != ffmpeg::kEndOfFile) count_fault(library_.words(error));
  }
  while (!drained_) {
    const int error = library_.avcodec_receive_frame(codec_, frame_);
    if (error == 0) {
      gave_frame_ = true;
      return true;
    }
    if (error == -EAGAIN) return false;
    if (error == ffmpeg::kEndOfFile || draining_) {
      drained_ = true;
      return false;
    }
    // What is left of a packet that has but one frame is no frame.
    const bool one_frame = frames_ != nullptr || pcm_bits_ > 0;
    if (!gave_frame_ || !one_frame) count_fault(library_.words(error));
  }
  return false;
}

// Trusts a frame only as far as its planes are there and as long as they say.
bool FfmpegInput::view(FfmpegFrame& frame) {
  if (library_.newer) {
    const auto& whole = *reinterpret_cast<const ffmpeg::v61::AVFrame*>(frame_);
    frame.channels = whole.nb_channels;
    frame.rate = whole.sample_rate;
  } else {
    frame.channels = library_.av_frame_get_channels(frame_);
    frame.rate = library_.av_frame_get_sample_rate(frame_);
  }
  // The decoder of MPEG audio tells the rate of the frame before.
  if (mpeg_rate_ != 0) frame.rate = mpeg_rate_;
  if (frame_->nb_samples == 0) return false;
  bool sound = frame_->nb_samples > 0 && frame.rate > 0 && frame.channels > 0 &&
               frame.channels <= kMostChannels && known_format(frame_->format, frame.format) &&
               frame_->extended_data != nullptr;
  if (sound) {
    frame.count = static_cast<std::size_t>(frame_->nb_samples);
    frame.planes = reinterpret_cast<const void* const*>(frame_->extended_data);
    const int planes = frame.format.planar ? frame.channels : 1;
    const std::size_t in_plane = frame.count * static_cast<std::size_t>(frame.channels / planes) *
                                 sample_size(frame.format.type);
    sound = frame_->linesize[0] > 0 && static_cast<std::size_t>(frame_->linesize[0]) >= in_plane;
    for (int i = 0; i < planes && sound; ++i) sound = frame.planes[i] != nullptr;
  }
  channels_ = frame.channels;
  if (!sound) count_fault("a frame without sense");
  return sound;
}

bool FfmpegInput::seek(std::int64_t time) {
  if (library_.av_seek_frame(format_, stream_index_, time, ffmpeg::kSeekBackward) < 0) return false;
  forget();
  return true;
}

void FfmpegInput::rewind() {
  frames_->rewind();
  forget();
}

void FfmpegInput::forget() {
  library_.avcodec_flush_buffers(codec_);
  library_.av_frame_unref(frame_);
  drop_packet();
  draining_ = drained_ = false;
}

// A packet that does not begin with the bits that every frame of MPEG audio or ADTS begins with.
bool FfmpegInput::may_be_a_tag() const {
  if (!tags_between_) return false;
  return packet_->size < 2 || packet_->data[0] != 0xFF || (packet_->data[1] & 0xE0) != 0xE0;
}

void FfmpegInput::count_fault(const std::string& words) {
  if (packet_is_tag_) return;
  // Where a file is cut, a part of a sample is left.
  if (packet_->size > 0 && packet_->size * 8 < pcm_bits_ * channels_) return;
  if (faults_++ == 0) first_fault_ = words;
}

}  // namespace maest
