// Files that are no audio, told by name: people have them between their music.
#include <algorithm>
#include <cctype>

#include "container_formats.h"

namespace maest {
namespace {

using namespace std::string_view_literals;

struct Foreign {
  int offset;
  std::string_view start;
  const char* name;
};

constexpr Foreign kForeign[] = {
    {0, "\x89PNG"sv, "an image (PNG)"},
    {0, "\xff\xd8\xff"sv, "an image (JPEG)"},
    {0, "GIF8"sv, "an image (GIF)"},
    {8, "WEBP"sv, "an image (WebP)"},
    {0, "II*\0"sv, "an image (TIFF)"},
    {0, "MM\0*"sv, "an image (TIFF)"},
    {4, "ftypavif"sv, "an image (AVIF)"},
    {4, "ftypheic"sv, "an image (HEIC)"},
    {0, "%PDF"sv, "a PDF document"},
    {0, "PK\3\4"sv, "a ZIP archive"},
    {0, "PK\5\6"sv, "a ZIP archive"},
    {0, "Rar!"sv, "a RAR archive"},
    {0, "7z\xbc\xaf\x27\x1c"sv, "a 7-Zip archive"},
    {0, "\x1f\x8b"sv, "a gzip archive"},
    {0, "BZh"sv, "a bzip2 archive"},
    {0, "\xfd\x37zXZ"sv, "an xz archive"},
    {0, "\x28\xb5\x2f\xfd"sv, "a Zstandard archive"},
    {257, "ustar"sv, "a tar archive"},
    {0,
     "\x7f"
     "ELF"sv,
     "a program"},
    {0, "MZ"sv, "a program"},
    {0, "SQLite format 3"sv, "a database (SQLite)"},
    {0, "\x93NUMPY"sv, "an array (NumPy)"},
    {0, "MThd"sv, "notes without sound (MIDI)"},
    {8, "RMID"sv, "notes without sound (MIDI)"},
    {0, "Extended Module: "sv, "a tracker module (XM)"},
    {0, "Extended Instrument: "sv, "an instrument of a tracker (XI)"},
    {0, "IMPM"sv, "a tracker module (IT)"},
    {44, "SCRM"sv, "a tracker module (S3M)"},
    {1080, "M.K."sv, "a tracker module (MOD)"},
    {0, "#EXTM3U"sv, "a playlist (M3U)"},
    {0, "[playlist]"sv, "a playlist (PLS)"},
    {0, "version https://git-lfs"sv, "a pointer of Git LFS, not the file itself"},
    {0, "\0\0\1\xb3"sv, "video without a container (MPEG)"},
    {0, "\xd0\xcf\x11\xe0"sv, "an Office document"},
};

bool is_text(std::string_view bytes) {
  return !bytes.empty() && std::all_of(bytes.begin(), bytes.end(), [](unsigned char byte) {
    return byte >= 0x20 ? byte != 0x7F : byte == '\n' || byte == '\r' || byte == '\t';
  });
}

std::string name_of_text(std::string_view bytes) {
  std::string lower(bytes);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char byte) { return static_cast<char>(std::tolower(byte)); });
  const bool is_page =
      lower.find("<html") != std::string::npos || lower.find("<!doctype html") != std::string::npos;
  return is_page ? "a web page (HTML)" : "text";
}

}  // namespace

std::string printable(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes) {
    if (byte >= 0x20 && byte < 0x7F) text += byte;
  }
  return text.substr(0, text.find_last_not_of(' ') + 1);
}

Found find_foreign(FileBytes& file, std::int64_t begin) {
  Container found;
  for (const Foreign& foreign : kForeign) {
    if (!file.starts(begin + foreign.offset, foreign.start)) continue;
    found.foreign = foreign.name;
    return found;
  }
  return std::nullopt;
}

Container describe_unknown(FileBytes& file) {
  Container found;
  const std::string_view bytes = file.at(0, 512);
  if (file.size() == 0) {
    found.foreign = "empty (0 bytes)";
  } else if (bytes.find_first_not_of('\0') == std::string_view::npos) {
    found.foreign = "a file that begins with nothing but zeros";
  } else if (is_text(bytes)) {
    found.foreign = name_of_text(bytes);
  }
  return found;
}

}  // namespace maest
