#include "target/tls.h"

#include <elf.h>

#include <algorithm>
#include <array>
#include <iterator>

#include "base/path.h"
#include "symbol/machine.h"

namespace plumb {
namespace {

struct Known {
  TlsLibrary library;
  TlsCall call;
  std::string_view name;
};

// gnutls_record_send is a jump to gnutls_record_send2 where that exists (3.6.3 and later), and gnutls_record_recv and
// _recv_seq share what they jump to: each entry is probed, and of all of them the returns.
constexpr Known kKnown[] = {
    {TlsLibrary::openssl, TlsCall::ssl_read, "SSL_read"},
    {TlsLibrary::openssl, TlsCall::ssl_write, "SSL_write"},
    {TlsLibrary::openssl, TlsCall::ssl_read_ex, "SSL_read_ex"},
    {TlsLibrary::openssl, TlsCall::ssl_write_ex, "SSL_write_ex"},
    {TlsLibrary::openssl, TlsCall::freed, "SSL_free"},
    {TlsLibrary::gnutls, TlsCall::gnutls_recv, "gnutls_record_recv"},
    {TlsLibrary::gnutls, TlsCall::gnutls_recv, "gnutls_record_recv_seq"},
    {TlsLibrary::gnutls, TlsCall::gnutls_send, "gnutls_record_send"},
    {TlsLibrary::gnutls, TlsCall::gnutls_send, "gnutls_record_send2"},
    {TlsLibrary::gnutls, TlsCall::freed, "gnutls_deinit"},
    {TlsLibrary::go, TlsCall::go_read, "crypto/tls.(*Conn).Read"},
    {TlsLibrary::go, TlsCall::go_write, "crypto/tls.(*Conn).Write"},
    {TlsLibrary::go, TlsCall::go_close, "crypto/tls.(*Conn).Close"},
};

constexpr std::string_view kNames[] = {"openssl", "gnutls", "go"};

// go1.17 was the first with the register ABI on x86-64, go1.18 on arm64; "go" alone is 1.17 or older, or a build without
// its version.
bool has_register_abi(std::string_view version) {
  return !version.starts_with("go1.") || version.size() < 6 || version[5] == '.' || version[5] < '0' ||
                 version[5] > '9'
             ? false
             : !(version[4] == '1' && version[5] < (kMachine == EM_AARCH64 ? '8' : '7'));
}

void add(const ProgramFile& file, const Known& known, CodeRange range, TlsFinding& out) {
  const auto refuse = [&](std::string why) { out.refused.push_back({known.name, std::move(why)}); };
  if (file.machine() != kMachine) return refuse("it is code of another machine");
  const auto entry = file.file_offset(range.address);
  if (!entry) return refuse("its code is not in the file");
  if (known.call == TlsCall::freed || known.call == TlsCall::go_close) {
    out.functions.push_back({known.call, known.name, *entry, {}});
    return;
  }
  auto returns = find_returns(range, file);
  if (!returns) return refuse(std::move(returns).error().why);
  TlsFunction function{known.call, known.name, *entry, {}};
  for (const std::uint64_t address : *returns) {
    const auto offset = file.file_offset(address);
    if (!offset) return refuse("its code is not in the file");
    function.returns.push_back(*offset);
  }
  out.functions.push_back(std::move(function));
}

TlsFinding finding(const ProgramFile& file, TlsLibrary library,
                   const std::map<std::string_view, CodeRange>& found) {
  TlsFinding out;
  out.library = library;
  for (const Known& known : kKnown) {
    const auto at = found.find(known.name);
    if (known.library == library && at != found.end()) add(file, known, at->second, out);
  }
  return out;
}

std::vector<std::string_view> names_of(bool go) {
  std::vector<std::string_view> out;
  for (const Known& known : kKnown) {
    if ((known.library == TlsLibrary::go) == go) out.push_back(known.name);
  }
  return out;
}

std::optional<TlsFinding> find_go_tls(const ProgramFile& file, std::string version) {
  const auto found = file.find_go(names_of(true));
  if (found.empty()) return std::nullopt;
  TlsFinding out;
  out.library = TlsLibrary::go;
  out.version = std::move(version);
  if (out.version != "go" && !has_register_abi(out.version)) {
    out.refused.push_back({"crypto/tls.(*Conn).Write",
                           "it was built by " + out.version +
                               ", which passes arguments on the stack (1.17 was the first that does not)"});
    return out;
  }
  std::string kept = std::move(out.version);
  out = finding(file, TlsLibrary::go, found);
  out.version = std::move(kept);
  return out;
}

}  // namespace

std::string_view tls_library_name(TlsLibrary library) {
  return kNames[static_cast<std::size_t>(library)];
}

bool may_hold_tls(std::string_view path) {
  constexpr std::string_view kParts[] = {"ssl", "tls", "crypto", "libpython", "libnode", "conscrypt"};
  const std::string_view name = file_name(path);
  if (name.starts_with("libcrypto.so") || name.starts_with("libssl3.so")) return false;
  return std::any_of(std::begin(kParts), std::end(kParts),
                     [&](std::string_view part) { return name.find(part) != std::string_view::npos; });
}

bool looks_like_program(std::string_view path) {
  return file_name(path).find(".so") == std::string_view::npos;
}

std::optional<TlsFinding> find_tls(const ProgramFile& file, std::string_view path) {
  if (auto version = file.go()) {
    if (auto out = find_go_tls(file, *std::move(version))) return out;  // else cgo may have linked OpenSSL
  }
  const auto found = file.find(names_of(false));
  for (const TlsLibrary library : {TlsLibrary::openssl, TlsLibrary::gnutls}) {
    TlsFinding out = finding(file, library, found);
    if (out.functions.empty() && out.refused.empty()) continue;
    out.dynamic = file_name(path).find(".so") != std::string_view::npos;
    return out;
  }
  return std::nullopt;
}

std::string_view unreadable_tls(std::string_view path) {
  const std::string_view name = file_name(path);
  if (name.starts_with("libssl3.so")) return "NSS (libssl3.so): its functions are not probed";
  if (name.starts_with("libjvm.so"))
    return "Java: its own TLS is compiled at run time, out of reach for probes";
  if (name.starts_with("libmbedtls.so")) return "mbed TLS: its functions are not probed";
  if (name.starts_with("libwolfssl.so")) return "wolfSSL: its functions are not probed";
  if (name.starts_with("librustls.so")) return "rustls: its functions are not probed";
  return {};
}

std::string_view unreadable_tls(const ProgramFile& file) {
  return file.names_contain("rustls") ? "rustls: its functions are not probed" : std::string_view{};
}

}  // namespace plumb
