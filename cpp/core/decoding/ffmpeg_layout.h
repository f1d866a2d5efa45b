// What is read of FFmpeg's public structures, as far as it is read: the beginnings of them, which
// do not change within a major version. Two generations: FFmpeg 2.8 (libavutil 54, libavcodec and
// libavformat 56) and FFmpeg 7.1 (libavutil 59, libavcodec and libavformat 61). Names are FFmpeg's.
#pragma once

#include <cstdint>

namespace maest::ffmpeg {

inline constexpr int kAudio = 1;  // AVMEDIA_TYPE_AUDIO
inline constexpr int kDiscardAll = 48;
inline constexpr int kSeekBackward = 1;
inline constexpr int kSeekSize = 0x10000;
inline constexpr int kSeekForce = 0x20000;
inline constexpr int kLogQuiet = -8;
inline constexpr int kEndOfFile = -0x20464F45;  // the letters EOF and a space
inline constexpr int kPcmS16Le = 0x10000;       // AV_CODEC_ID_PCM_S16LE
inline constexpr std::int64_t kNoTime = INT64_MIN;

struct AVClass {
  const char* class_name;
  const char* (*item_name)(void*);
  const void* option;
  int version;  // libavutil's: major << 16 | minor << 8 | micro
};

struct AVRational {
  int num, den;
};

struct AVIOContext {
  const AVClass* av_class;
  unsigned char* buffer;
};

struct AVFormatContext {
  const AVClass* av_class;
  const void* iformat;
  const void* oformat;
  void* priv_data;
  AVIOContext* pb;
  int ctx_flags;
  unsigned nb_streams;
  void** streams;
};

struct AVPacket {
  void* buf;
  std::int64_t pts, dts;
  std::uint8_t* data;
  int size;
  int stream_index;
};

// The end of it is not in either structure: room for what the older one makes its users keep.
struct RoomyPacket {
  AVPacket packet;
  unsigned char rest[256];
};

struct AVFrame {
  std::uint8_t* data[8];
  int linesize[8];
  std::uint8_t** extended_data;
  int width, height;
  int nb_samples;
  int format;
};

// The older generation: a stream has the context of its codec.
namespace v56 {

struct AVCodecContext {
  const AVClass* av_class;
  int log_level_offset;
  int codec_type;
  const void* codec;
  char codec_name[32];
  int codec_id;
};

struct AVStream {
  int index;
  int id;
  AVCodecContext* codec;
  void* priv_data;
  std::int64_t pts_val, pts_num, pts_den;
  AVRational time_base;
  std::int64_t start_time, duration, nb_frames;
  int disposition;
  int discard;
};

}  // namespace v56

// The newer one: a stream has parameters, its user makes the context.
namespace v61 {

struct AVCodecParameters {
  int codec_type;
  int codec_id;
};

struct AVStream {
  const AVClass* av_class;
  int index;
  int id;
  AVCodecParameters* codecpar;
  void* priv_data;
  AVRational time_base;
  std::int64_t start_time, duration, nb_frames;
  int disposition;
  int discard;
};

struct AVFrame {
  ffmpeg::AVFrame start;
  int key_frame;
  int pict_type;
  AVRational sample_aspect_ratio;
  std::int64_t pts, pkt_dts;
  AVRational time_base;
  int quality;
  void* opaque;
  int repeat_pict, interlaced_frame, top_field_first, palette_has_changed;
  int sample_rate;
  void* buf[8];
  void** extended_buf;
  int nb_extended_buf;
  void** side_data;
  int nb_side_data;
  int flags;
  int color_range, color_primaries, color_trc, colorspace, chroma_location;
  std::int64_t best_effort_timestamp, pkt_pos;
  void* metadata;
  int decode_error_flags, pkt_size;
  void* hw_frames_ctx;
  void* opaque_ref;
  std::uint64_t crop_top, crop_bottom, crop_left, crop_right;
  void* private_ref;
  int channel_order;  // of ch_layout
  int nb_channels;    // likewise
};

}  // namespace v61
}  // namespace maest::ffmpeg
