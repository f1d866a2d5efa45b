// libsndfile's C interface, found at run time. What stands here is what sndfile.h promises to keep.
#pragma once

#include <cstdint>
#include <string>

namespace maest {

// Names the shared library to open, before the first file that needs it; without it the system's
// libsndfile.so.1 is looked for. A later call with another path is an `InvalidArgument`.
void set_sndfile_library(const std::string& path);

// "libsndfile 1.2.2"; empty where there is none that is usable.
std::string sndfile_version();

struct SndfileInfo {  // SF_INFO
  std::int64_t frames;
  int rate;
  int channels;
  int format;
  int sections;
  int seekable;
};

struct SndfileIo {  // SF_VIRTUAL_IO
  std::int64_t (*size)(void* data);
  std::int64_t (*seek)(std::int64_t offset, int whence, void* data);
  std::int64_t (*read)(void* bytes, std::int64_t count, void* data);
  std::int64_t (*write)(const void* bytes, std::int64_t count, void* data);
  std::int64_t (*tell)(void* data);
};

struct SndfileFunctions {
  using File = void;
  const char* (*version_string)();
  File* (*open_virtual)(SndfileIo* io, int mode, SndfileInfo* info, void* data);
  int (*close)(File* file);
  std::int64_t (*readf_float)(File* file, float* samples, std::int64_t frames);
  std::int64_t (*seek)(File* file, std::int64_t frames, int whence);
  int (*error)(File* file);
  const char* (*strerror)(File* file);

  static constexpr int kRead = 0x10;  // SFM_READ
};

// Opens it on first use. Throws `AudioError` where there is none that is usable.
const SndfileFunctions& sndfile_functions();

}  // namespace maest
