// Who decodes what: one table, made by measurement (docs/formats.md).
#pragma once

#include <string>
#include <vector>

#include "container.h"

namespace maest {

enum class Reader {
  ffmpeg,   // the FFmpeg inside Essentia: ffmpeg_source.h
  sndfile,  // libsndfile: sndfile_source.h
  extra,    // PyAV, from Python, where it is installed
};

struct Route {
  std::string container;
  std::string codec;            // a name; or its beginning and "*"
  std::vector<Reader> readers;  // in order; the next is asked where one cannot open the file
  std::string demuxer;          // FFmpeg's name of what reads the container; empty: it has none
  std::string decoder;          // FFmpeg's name of what decodes; empty: the codec's own
  std::string way_out;          // what the file's owner can do where no reader is there
};

// The whole table. Of the lines that fit a file the first one counts.
const std::vector<Route>& routes();

// What fits no line has a route without readers, whose way_out says what the file is.
Route route_of(const Container& container);

}  // namespace maest
