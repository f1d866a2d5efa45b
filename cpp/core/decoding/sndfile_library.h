// libsndfile's C interface, found at run time.
#pragma once

#include <string>

namespace maest {

// Names the shared library to open, before the first file that needs it; without it the system's
// libsndfile.so.1 is looked for. A later call with another path is an `InvalidArgument`.
void set_sndfile_library(const std::string& path);

// "libsndfile 1.2.2"; empty where there is none that is usable.
std::string sndfile_version();

}  // namespace maest
