// Result<T>: what can fail returns one. An Error says what failed, why, and what to do next, because
// that is what an engineer reads at 3 a.m.; the command line prints it in at most three lines.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace plumb {

struct Error {
  std::string what;          // "cannot attach the tcpconnect probes"
  std::string why = {};      // "Permission denied: CAP_BPF is missing"
  std::string hint = {};     // "run as root, or: setcap cap_bpf,cap_perfmon+ep plumb"
  std::string details = {};  // a long log (libbpf, verifier); shown with -v only
  std::string excerpt = {};  // two lines, printable already: input, and carets under the place that is wrong
};

template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  T& value() & { return std::get<0>(state_); }
  const T& value() const& { return std::get<0>(state_); }
  T&& value() && { return std::get<0>(std::move(state_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  const Error& error() const& { return std::get<1>(state_); }
  Error&& error() && { return std::get<1>(std::move(state_)); }

 private:
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}

  bool ok() const { return !error_.has_value(); }
  explicit operator bool() const { return ok(); }
  const Error& error() const& { return *error_; }
  Error&& error() && { return *std::move(error_); }

 private:
  std::optional<Error> error_;
};

// The text of an errno value without the locale: "ENOENT: No such file or directory". Never a bare number.
std::string errno_text(int error);
// "ECONNREFUSED" for 111; empty for 0 and for a number without a name.
std::string_view errno_name(int error);

}  // namespace plumb
