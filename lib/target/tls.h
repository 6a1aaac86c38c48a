// Which TLS implementation a file holds, and where its functions that take and give plaintext start and return.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "target/program_file.h"

namespace plumb {

enum class TlsLibrary : std::uint8_t { openssl, gnutls, go };
std::string_view tls_library_name(TlsLibrary library);  // "openssl": as the field `tls` of a request says it

// Functions by how their arguments and results are read; one BPF program each for entry and return.
enum class TlsCall : std::uint8_t {
  ssl_read,      // int SSL_read(SSL*, void*, int)
  ssl_write,     // int SSL_write(SSL*, const void*, int)
  ssl_read_ex,   // int SSL_read_ex(SSL*, void*, size_t, size_t* read)
  ssl_write_ex,  // int SSL_write_ex(SSL*, const void*, size_t, size_t* written)
  gnutls_recv,   // ssize_t gnutls_record_recv(session, void*, size_t)
  gnutls_send,   // ssize_t gnutls_record_send(session, const void*, size_t)
  go_read,       // func (*Conn) Read([]byte) (int, error), register ABI
  go_write,      // func (*Conn) Write([]byte) (int, error)
  freed,         // void SSL_free(SSL*), gnutls_deinit(session): the object ends. Only its entry is of use
  go_close,      // func (*Conn) Close() error: the same
};
constexpr std::size_t kTlsCalls = 10;

struct TlsFunction {
  TlsCall call = TlsCall::ssl_read;
  std::string_view name;
  std::uint64_t entry = 0;  // offset in the file
  // Offsets of its return instructions; none of calls that end an object.
  std::vector<std::uint64_t> returns;
};

struct TlsRefused {
  std::string_view name;
  std::string why;
};

struct TlsFinding {
  TlsLibrary library = TlsLibrary::openssl;
  std::string version;                 // of Go: "go1.24.4"
  bool dynamic = false;                // a library of its own, not linked into the program
  std::vector<TlsFunction> functions;  // what can be probed
  std::vector<TlsRefused> refused;     // what is there and cannot be
};

// By the file's name: whether it may hold TLS functions. The program itself always may; of its libraries only those
// whose names say so, so that a start with hundreds of processes stays cheap.
bool may_hold_tls(std::string_view path);

// By its name too: the program itself rather than a library.
bool looks_like_program(std::string_view path);

// What the file holds; nothing when it holds no TLS that plumb knows how to read.
std::optional<TlsFinding> find_tls(const ProgramFile& file, std::string_view path);

// A sentence on TLS that is there but out of plumb's reach, by a mapped file's path: "NSS (libssl3.so)". Empty: none.
std::string_view unreadable_tls(std::string_view path);
// The same by what a program's symbols say: rustls. Reads the whole symbol table.
std::string_view unreadable_tls(const ProgramFile& file);

}  // namespace plumb
