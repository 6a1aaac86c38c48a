#include "run/link_closer.h"

#include <pthread.h>

#include <algorithm>
#include <csignal>
#include <system_error>

namespace plumb {
namespace {

constexpr std::size_t kMostThreads = 16;

}  // namespace

void LinkCloser::close(std::vector<UprobeLink> links) {
  wait();
  const std::size_t count = std::min(links.size(), kMostThreads);
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  for (std::size_t i = 0; i < count; ++i) {
    std::vector<UprobeLink> share;
    for (std::size_t k = i; k < links.size(); k += count) share.push_back(std::move(links[k]));
    try {
      threads_.emplace_back([mine = std::move(share)]() mutable { mine.clear(); });
    } catch (const std::system_error&) {
      break;  // no thread to be had: the rest is closed here
    }
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void LinkCloser::wait() {
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

}  // namespace plumb
