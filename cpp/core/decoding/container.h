// What a file is, by its own bytes. No decoder is asked: some take anything for MPEG.
#pragma once

#include <cstdint>
#include <string>

namespace maest {

// Names of containers: wav rf64 w64 rifx aiff aifc au caf voc nist svx ircam avr paf flac ogg
// mpeg (layers 1 to 3, no container at all) adts latm adif mp4 (also M4A, MOV, 3GP) ac3 (also
// E-AC-3) dts matroska webm asf ape wavpack tta musepack dsf dff amr mpeg-ts mpeg-ps avi flv
// realmedia tak optimfrog shorten.
// Codecs are called as in FFmpeg: pcm_s16le, mp3, vorbis, aac, alac, wmav2, ...
struct Container {
  std::string container;  // empty: no audio file that is known
  std::string codec;      // of the first audio stream; empty: it is not told, or not known
  std::string foreign;    // what it is where it is no audio: "an image (PNG)"; may be empty
  int rate = 0;           // Hz, as the header says; 0: not told
  int channels = 0;       // likewise
  // Samples of each channel at `rate`, by the header; -1: not told. Lossy formats may count what
  // their encoders add at both ends.
  std::int64_t promised = -1;
  std::string lacks;     // what is wrong with it where no decoder can open it; may be empty
  bool cut = false;      // by its own sizes the file would be longer than it is
  bool chained = false;  // Ogg: other streams follow the first one
};

// Reads a bounded part of the file, wherever that lies. Throws `AudioError` where it cannot be
// read.
Container identify(const std::string& path);

}  // namespace maest
