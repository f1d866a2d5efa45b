#include "model_cache.h"

#include <sys/stat.h>

namespace maest::plugin {

FileIdentity identify(const std::string& path) {
  struct stat status{};
  if (stat(path.c_str(), &status) != 0) return {};
  const std::int64_t modified =
      static_cast<std::int64_t>(status.st_mtim.tv_sec) * 1000000000 + status.st_mtim.tv_nsec;
  return {status.st_dev, status.st_ino, modified, status.st_size};
}

}  // namespace maest::plugin
