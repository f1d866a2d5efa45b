#include "routes.h"

#include <algorithm>
#include <string_view>

#include "error.h"

namespace maest {
namespace {

struct Line {
  const char* containers;  // names, a space between them
  const char* codecs;      // patterns, likewise
  const char* readers;     // a letter for each: ffmpeg, sndfile, extra
  const char* demuxer = "";
  const char* way_out = "";
};

constexpr const char* kConvert = "convert it to FLAC: ffmpeg -i FILE FILE.flac";
constexpr const char* kExtra =
    "install PyAV (pip install 'essentia-maest[formats]'), or convert it to FLAC: ffmpeg -i FILE "
    "FILE.flac";
constexpr const char* kLocked = "it is locked by its seller: only the seller's own player reads it";

// Both generations of Essentia's FFmpeg have the same demuxers and decoders: none for CAF, RIFX,
// W64, DSD, AMR, MPEG-TS and -PS, and no Opus, Speex, DTS or ADPCM. What it decodes wrongly though
// it has a decoder is left out here: lossless WMA, FLAC of 32 bits.
constexpr Line kLines[] = {
    {"wav rf64", "pcm_*", "fse", "wav"},
    {"wav rf64", "gsm_ms", "fse", "wav"},
    {"wav rf64", "adpcm_ms adpcm_ima_wav", "se"},
    {"wav rf64", "mp3 mp2 ac3 wmav1 wmav2", "fe", "wav"},
    {"wav rf64", "*", "se"},
    {"rifx", "pcm_*", "s", "", kConvert},
    {"w64", "*", "se"},
    {"aiff aifc", "pcm_*", "fse", "aiff"},
    {"aiff aifc", "adpcm_ima_qt", "e"},  // libsndfile: noise where it is soft
    {"aiff aifc", "*", "se"},
    {"au", "pcm_*", "fse", "au"},
    {"au", "*", "se"},
    {"caf", "pcm_* alac", "se"},
    {"caf", "*", "e"},
    {"voc nist svx ircam avr paf", "*", "se"},
    {"flac", "flac", "fse", "flac"},
    {"flac", "*", "e"},
    {"ogg", "vorbis", "fse", "ogg"},
    {"ogg", "opus", "se"},
    {"ogg", "flac", "fe", "ogg"},
    {"ogg", "*", "se"},
    {"mpeg", "mp3 mp2 mp1", "sfe", "mp3"},
    {"adts", "aac", "fe", "aac"},
    {"latm adif", "*", "e"},
    {"mp4", "aac alac mp3 mp2 mp1 ac3 eac3 vorbis flac pcm_*", "fe", "mov"},
    {"mp4", "protected", "", "", kLocked},
    {"mp4", "*", "e"},
    {"matroska webm", "vorbis flac aac mp3 mp2 mp1 ac3 eac3 alac tta wavpack pcm_*", "fe",
     "matroska"},
    {"matroska webm", "*", "e"},
    {"asf", "wmav1 wmav2 wmapro wmavoice mp3 aac", "fe", "asf"},
    {"asf", "protected", "", "", kLocked},
    {"asf", "*", "e"},
    {"ape", "ape", "e"},
    {"wavpack", "wavpack", "fe", "wv"},
    {"wavpack", "*", "e"},
    {"tta", "tta", "fe", "tta"},
    {"musepack", "musepack7", "fe", "mpc"},
    {"musepack", "musepack8", "fe", "mpc8"},
    {"ac3", "ac3 eac3", "fe", "ac3"},
    {"tak", "tak", "fe", "tak"},
    {"shorten", "shorten", "fe", "shn"},
    {"avi", "mp3 mp2 ac3 aac pcm_*", "fe", "avi"},
    {"avi", "*", "e"},
    {"flv", "mp3 aac pcm_*", "fe", "flv"},
    {"flv", "*", "e"},
    {"realmedia", "ra_144 ra_288 ralf ac3 aac", "fe", "rm"},
    {"realmedia", "*", "e"},
    {"dsf dff amr dts mpeg-ts mpeg-ps", "*", "e"},
    {"optimfrog", "*", "", "", "unpack it with OptimFROG's own program: ofr --decode FILE"},
    {"ape", "*", "", "", "unpack it with Monkey's Audio's own program: mac FILE FILE.wav -d"},
    {"tta", "*", "", "", "unpack it with its encoder's own program"},
};

std::vector<std::string> words(std::string_view text) {
  std::vector<std::string> found;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    found.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return found;
}

std::vector<Route> make_routes() {
  std::vector<Route> made;
  for (const Line& line : kLines) {
    Route route;
    for (const char letter : std::string_view(line.readers)) {
      route.readers.push_back(letter == 'f'   ? Reader::ffmpeg
                              : letter == 's' ? Reader::sndfile
                                              : Reader::extra);
    }
    route.demuxer = line.demuxer;
    route.way_out = *line.way_out != '\0' ? line.way_out : kExtra;
    for (const std::string& container : words(line.containers)) {
      for (const std::string& codec : words(line.codecs)) {
        route.container = container;
        route.codec = codec;
        made.push_back(route);
      }
    }
  }
  return made;
}

bool fits(const std::string& pattern, const std::string& codec) {
  if (pattern.back() != '*') return pattern == codec;
  return codec.compare(0, pattern.size() - 1, pattern, 0, pattern.size() - 1) == 0;
}

// Has a reader asked first, if it is among them.
void prefer(Reader reader, std::vector<Reader>& readers) {
  const auto found = std::find(readers.begin(), readers.end(), reader);
  if (found != readers.end()) std::rotate(readers.begin(), found, found + 1);
}

}  // namespace

const std::vector<Route>& routes() {
  static const std::vector<Route> the_table = make_routes();
  return the_table;
}

Route route_of(const Container& container) {
  Route unknown;
  unknown.container = container.container;
  unknown.codec = container.codec;
  // What stands in words there is missing or wrong about it; no decoder can help.
  unknown.way_out = !container.foreign.empty()
                        ? message("it is ", container.foreign, "; an audio file is wanted")
                        : "no audio format that is known begins like it";
  if (container.container.empty() || !container.foreign.empty()) return unknown;
  const auto found = std::find_if(routes().begin(), routes().end(), [&](const Route& route) {
    return route.container == container.container && fits(route.codec, container.codec);
  });
  if (found == routes().end()) {
    unknown.way_out = kConvert;
    return unknown;
  }
  Route route = *found;
  // mpg123, in libsndfile, parts the spectrum of these as no encoder does: it is off by 0.02.
  if (container.codec == "mp3" && container.rate == 24000) prefer(Reader::ffmpeg, route.readers);
  // Essentia's FFmpeg stays with the first stream.
  if (container.chained) prefer(Reader::sndfile, route.readers);
  return route;
}

}  // namespace maest
