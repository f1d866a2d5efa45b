// Files decoded by libsndfile.
#pragma once

#include <memory>
#include <string>

#include "container.h"
#include "source.h"

namespace maest {

// Opens a file; `container` is what identify() said of it. Throws `AudioError` where libsndfile is
// not there or cannot open it, or where its samples would not be MonoLoader's (an mp3 whose rate
// changes): the next reader is to be asked.
std::unique_ptr<Source> open_sndfile(const std::string& path, const Container& container);

}  // namespace maest
