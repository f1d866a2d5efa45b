#include "model_cache.h"

#include <pthread.h>
#include <sys/stat.h>

namespace maest::plugin {

std::mutex& opening_mutex() {
  static std::mutex mutex;
  // A process is forked while nothing is being opened: the child would wait for a thread that it
  // does not have.
  static const int registered =
      pthread_atfork([] { opening_mutex().lock(); }, [] { opening_mutex().unlock(); },
                     [] { opening_mutex().unlock(); });
  static_cast<void>(registered);
  return mutex;
}

FileIdentity identify(const std::string& path) {
  struct stat status{};
  if (stat(path.c_str(), &status) != 0) return {};
  const std::int64_t modified =
      static_cast<std::int64_t>(status.st_mtim.tv_sec) * 1000000000 + status.st_mtim.tv_nsec;
  return {status.st_dev, status.st_ino, modified, status.st_size};
}

}  // namespace maest::plugin
