// The FFmpeg inside Essentia's extension library, found at run time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "ffmpeg_layout.h"

namespace maest {

// Names Essentia's extension library, before the first file that needs it. A later call with
// another path is an `InvalidArgument`.
void set_ffmpeg_library(const std::string& path);

// "FFmpeg 2.8.12 of Essentia"; empty where there is none that is usable.
std::string ffmpeg_version();

// Functions that both generations have, that only the older has, that only the newer has.
#define MAEST_FFMPEG_COMMON(FUNCTION)                                                        \
  FUNCTION(const ffmpeg::AVClass*, avcodec_get_class, ())                                    \
  FUNCTION(void, av_log_set_level, (int))                                                    \
  FUNCTION(void*, av_malloc, (std::size_t))                                                  \
  FUNCTION(void, av_free, (void*))                                                           \
  FUNCTION(int, av_strerror, (int, char*, std::size_t))                                      \
  FUNCTION(int, av_get_bits_per_sample, (int))                                               \
  FUNCTION(ffmpeg::AVIOContext*, avio_alloc_context,                                         \
           (unsigned char*, int, int, void*, int (*)(void*, std::uint8_t*, int),             \
            int (*)(void*, std::uint8_t*, int), std::int64_t (*)(void*, std::int64_t, int))) \
  FUNCTION(const void*, av_find_input_format, (const char*))                                 \
  FUNCTION(ffmpeg::AVFormatContext*, avformat_alloc_context, ())                             \
  FUNCTION(int, avformat_open_input,                                                         \
           (ffmpeg::AVFormatContext**, const char*, const void*, void**))                    \
  FUNCTION(int, avformat_find_stream_info, (ffmpeg::AVFormatContext*, void**))               \
  FUNCTION(void, avformat_close_input, (ffmpeg::AVFormatContext**))                          \
  FUNCTION(int, av_read_frame, (ffmpeg::AVFormatContext*, ffmpeg::AVPacket*))                \
  FUNCTION(int, av_seek_frame, (ffmpeg::AVFormatContext*, int, std::int64_t, int))           \
  FUNCTION(void, av_packet_unref, (ffmpeg::AVPacket*))                                       \
  FUNCTION(const void*, avcodec_find_decoder, (int))                                         \
  FUNCTION(const void*, avcodec_find_decoder_by_name, (const char*))                         \
  FUNCTION(const char*, avcodec_get_name, (int))                                             \
  FUNCTION(int, avcodec_open2, (void*, const void*, void**))                                 \
  FUNCTION(int, avcodec_close, (void*))                                                      \
  FUNCTION(void, avcodec_flush_buffers, (void*))                                             \
  FUNCTION(ffmpeg::AVFrame*, av_frame_alloc, ())                                             \
  FUNCTION(void, av_frame_unref, (ffmpeg::AVFrame*))                                         \
  FUNCTION(void, av_frame_free, (ffmpeg::AVFrame**))

#define MAEST_FFMPEG_OLDER(FUNCTION)                                                             \
  FUNCTION(unsigned, avcodec_version, ())                                                        \
  FUNCTION(unsigned, avformat_version, ())                                                       \
  FUNCTION(const char*, av_version_info, ())                                                     \
  FUNCTION(void, av_register_all, ())                                                            \
  FUNCTION(void, av_init_packet, (ffmpeg::AVPacket*))                                            \
  FUNCTION(int, avcodec_decode_audio4, (void*, ffmpeg::AVFrame*, int*, const ffmpeg::AVPacket*)) \
  FUNCTION(int, av_frame_get_channels, (const ffmpeg::AVFrame*))                                 \
  FUNCTION(int, av_frame_get_sample_rate, (const ffmpeg::AVFrame*))

#define MAEST_FFMPEG_NEWER(FUNCTION)                                                           \
  FUNCTION(ffmpeg::AVPacket*, av_packet_alloc, ())                                             \
  FUNCTION(void, av_packet_free, (ffmpeg::AVPacket**))                                         \
  FUNCTION(void*, avcodec_alloc_context3, (const void*))                                       \
  FUNCTION(void, avcodec_free_context, (void**))                                               \
  FUNCTION(int, avcodec_parameters_to_context, (void*, const ffmpeg::v61::AVCodecParameters*)) \
  FUNCTION(int, avcodec_send_packet, (void*, const ffmpeg::AVPacket*))                         \
  FUNCTION(int, avcodec_receive_frame, (void*, ffmpeg::AVFrame*))

struct FfmpegLibrary {
  std::string path;
  std::string version;  // as ffmpeg_version() gives it
  bool newer = false;   // the functions of the other generation are null
#define MAEST_FFMPEG_MEMBER(type, name, arguments) type(*name) arguments = nullptr;
  MAEST_FFMPEG_COMMON(MAEST_FFMPEG_MEMBER)
  MAEST_FFMPEG_OLDER(MAEST_FFMPEG_MEMBER)
  MAEST_FFMPEG_NEWER(MAEST_FFMPEG_MEMBER)
#undef MAEST_FFMPEG_MEMBER
  void (*av_max_alloc)(std::size_t) = nullptr;  // null where it is not exported

  // FFmpeg's words for one of its errors.
  std::string words(int error) const;
};

// Opens and checks it on first use. Throws `AudioError` where it is missing or unknown.
const FfmpegLibrary& ffmpeg_library();

}  // namespace maest
