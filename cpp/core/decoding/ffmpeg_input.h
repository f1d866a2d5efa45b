// One audio stream of a file, in frames as FFmpeg decodes them; the same for both generations.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "ffmpeg_bytes.h"
#include "ffmpeg_library.h"
#include "flac_frames.h"
#include "sample_formats.h"

namespace maest {

// Samples in FFmpeg's memory, valid until the input is asked for something else.
struct FfmpegFrame {
  SampleFormat format;
  const void* const* planes = nullptr;
  std::size_t count = 0;  // samples of each channel
  int channels = 0;
  int rate = 0;  // Hz
};

class FfmpegInput {
 public:
  // Reads with the demuxer of that name, and with the decoder of that name or, where it is empty,
  // with the codec's own. Throws `AudioError` where FFmpeg has them not,
  // or finds no audio in the file. Where `frames` are given, `bytes` are no more than their head.
  FfmpegInput(const FfmpegLibrary& library, FfmpegBytes& bytes, const std::string& demuxer,
              const std::string& decoder, FlacFrames* frames = nullptr);
  FfmpegInput(const FfmpegInput&) = delete;
  FfmpegInput& operator=(const FfmpegInput&) = delete;
  ~FfmpegInput();

  // The next packet of the stream, in place of the last one; false: there are no more.
  bool read_packet();
  const ffmpeg::AVPacket& packet() const { return *packet_; }
  void drop_packet();

  // The next frame of what was read; false: more has to be read. What is damaged is left out and
  // counted.
  bool decode(FfmpegFrame& frame);

  // Nothing is left to read, nor to decode.
  bool ended() const { return drained_; }

  // Goes to the packet with this time, or to one before it.
  bool seek(std::int64_t time);
  // Goes to the first of the frames that were given.
  void rewind();

  int codec_id() const;
  std::string codec() const { return library_.avcodec_get_name(codec_id()); }
  ffmpeg::AVRational time_base() const;
  std::int64_t duration() const;  // in units of time_base(); ffmpeg::kNoTime: not known

  int faults() const { return faults_; }  // packets and frames that were left out
  const std::string& first_fault() const { return first_fault_; }
  // Why reading ended before the file did; empty: it did not.
  const std::string& stop() const { return stop_; }

 private:
  void open(const std::string& demuxer, const std::string& decoder);
  void choose_stream();
  void open_codec(const std::string& decoder);
  void close();
  bool decode_older();
  bool decode_newer();
  bool read_frame();
  void pad(const std::uint8_t* bytes, std::size_t size);
  void forget();
  bool view(FfmpegFrame& frame);
  bool may_be_a_tag() const;
  void count_fault(const std::string& words);

  const FfmpegLibrary& library_;
  FfmpegBytes& bytes_;
  FlacFrames* frames_;
  std::vector<std::uint8_t> padded_;  // the packet of FLAC that is decoded
  ffmpeg::AVFormatContext* format_ = nullptr;
  void* stream_ = nullptr;
  int stream_index_ = -1;
  void* codec_ = nullptr;
  ffmpeg::AVFrame* frame_ = nullptr;
  ffmpeg::RoomyPacket older_packet_{};
  ffmpeg::AVPacket* packet_ = nullptr;
  bool flac_ = false;
  int pcm_bits_ = 0;           // of one sample; 0: it is compressed
  int channels_ = 0;           // of the last frame
  bool mpeg_ = false;          // layers 1 to 3
  int mpeg_rate_ = 0;          // Hz, as the packet's own header says; 0: it says none
  bool tags_between_ = false;  // the container has no frame for tags: they look like damage
  bool packet_is_tag_ = false;
  bool gave_frame_ = false;  // the packet that the newer generation was sent last
  bool to_send_ = false;     // the decoder has not got the packet yet
  bool draining_ = false;    // all packets are read
  bool drained_ = false;     // and all is decoded
  int faults_ = 0;
  std::string first_fault_;
  std::string stop_;
};

}  // namespace maest
