// Skeleton<T>: the one owner of a libbpf skeleton. T is the struct that `bpftool gen skeleton` wrote; its
// generated functions are the only ones used. Destroying it detaches every probe and frees every map.
//
//   auto skel = Skeleton<tcpconnect_bpf>::open(kernel_btf);
//   skel->rodata->... = ...;  set_autoload(skel->progs.x, false);
//   if (auto r = skel.load(); !r) return r;
//   if (auto r = skel.attach(); !r) return r;
#pragma once

#include <bpf/libbpf.h>

#include <memory>
#include <string>

#include "base/result.h"
#include "probe/object_types.h"

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
  // `kernel` has to stay until the object is loaded.
  static Result<Skeleton> open(const KernelBtf& kernel) {
    auto types = ObjectTypes::create();
    if (!types) return std::move(types).error();
    const bpf_object_open_opts options = types->open_options();
    T* raw = T::open(&options);
    if (raw == nullptr) return bpf_error("cannot open the BPF object", errno);
    Skeleton opened(raw, *std::move(types));
    if (auto r = opened.types_.fill(opened->obj, kernel); !r) return std::move(r).error();
    return opened;
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
  Skeleton(T* skel, ObjectTypes types) : skel_(skel), types_(std::move(types)) {}
  std::unique_ptr<T, Destroy> skel_;
  ObjectTypes types_;
};

}  // namespace plumb
