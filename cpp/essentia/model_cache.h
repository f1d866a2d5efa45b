// What was opened and is still in use, so that several algorithms with the same file hold its
// weights once. Nothing is kept for its own sake: the last user closes the file.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <tuple>

#include "runtime_use.h"

namespace maest::plugin {

// The file itself, whatever it is called, as it is now: one that was replaced is another file.
using FileIdentity = std::tuple<std::uint64_t, std::uint64_t, std::int64_t, std::int64_t>;

// A file that does not exist has an identity too; opening it is what fails.
FileIdentity identify(const std::string& path);

// Held while a file is looked up or opened. No process is forked meanwhile.
std::mutex& opening_mutex();

template <typename Opened>
class ModelCache {
 public:
  // Opens `path` unless an algorithm holds it with the same number of threads. Opening happens one
  // at a time, so that two threads that want the same file do not both open it.
  std::shared_ptr<const Opened> get(const std::string& path, int threads) {
    const std::lock_guard<std::mutex> lock(opening_mutex());
    for (auto entry = held_.begin(); entry != held_.end();) {
      entry = entry->second.expired() ? held_.erase(entry) : std::next(entry);
    }
    // In a forked process what the parent opened is held by the parent's algorithms only.
    std::weak_ptr<const Opened>& slot = held_[{identify(path), threads, fork_generation()}];
    std::shared_ptr<const Opened> opened = slot.lock();
    if (!opened) {
      opened = std::make_shared<const Opened>(path, threads);
      slot = opened;
    }
    return opened;
  }

 private:
  std::map<std::tuple<FileIdentity, int, unsigned>, std::weak_ptr<const Opened>> held_;
};

}  // namespace maest::plugin
