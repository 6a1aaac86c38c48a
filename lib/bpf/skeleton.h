// Skeleton<T>: the one owner of a libbpf skeleton. T is the struct that `bpftool gen skeleton` wrote; its
// generated functions are the only ones used. Destroying it detaches every probe and frees every map.
//
//   auto skel = Skeleton<tcpconnect_bpf>::open();
//   skel->rodata->... = ...;  set_autoload(skel->progs.x, false);
//   if (auto r = skel.load(); !r) return r;
//   if (auto r = skel.attach(); !r) return r;
#pragma once

#include <bpf/libbpf.h>

#include <memory>
#include <string>

#include "base/result.h"

namespace plumb {

// libbpf's messages of this process: kept for Error::details, printed with -v. Call capture() once at start.
class LibbpfLog {
 public:
  static void capture(bool verbose);
  // All that libbpf said since the last call (bounded to the newest 64 KiB), and forgets it.
  static std::string take();
};

// The Error for a failed libbpf step: names missing capabilities, a kernel without BTF, lockdown, a too old
// kernel.
Error bpf_error(const std::string& what, int error);

template <class T>
class Skeleton {
 public:
  static Result<Skeleton> open() {
    T* raw = T::open(nullptr);
    if (raw == nullptr) return bpf_error("cannot open the BPF object", errno);
    return Skeleton(raw);
  }

  T* operator->() { return skel_.get(); }
  T& operator*() { return *skel_; }

  Result<void> load() {
    if (int e = T::load(skel_.get()); e != 0) return bpf_error("cannot load the BPF programs", -e);
    return {};
  }
  Result<void> attach() {
    if (int e = T::attach(skel_.get()); e != 0) return bpf_error("cannot attach the probes", -e);
    return {};
  }
  void detach() { T::detach(skel_.get()); }

 private:
  struct Destroy {
    void operator()(T* skel) const { T::destroy(skel); }
  };
  explicit Skeleton(T* skel) : skel_(skel) {}
  std::unique_ptr<T, Destroy> skel_;
};

}  // namespace plumb
