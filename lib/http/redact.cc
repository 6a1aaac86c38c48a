#include "http/redact.h"

#include <algorithm>

namespace plumb::http {
namespace {

// Those of the conventions, then what applications call theirs (RFC 6749, RFC 6750 and habit). Whatever their case: one
// value too many is hidden rather than one too few.
constexpr std::string_view kSecretKeys[] = {"AWSAccessKeyId",
                                            "Signature",
                                            "sig",
                                            "X-Goog-Signature",
                                            "X-Amz-Credential",
                                            "X-Amz-Security-Token",
                                            "X-Amz-Signature",
                                            "access_token",
                                            "refresh_token",
                                            "id_token",
                                            "token",
                                            "auth_token",
                                            "client_secret",
                                            "secret",
                                            "password",
                                            "passwd",
                                            "pwd",
                                            "api_key",
                                            "apikey",
                                            "api-key",
                                            "auth",
                                            "authorization",
                                            "jwt",
                                            "code",
                                            "session",
                                            "sessionid",
                                            "session_id",
                                            "private_key",
                                            "credential",
                                            "credentials"};

int hex(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

// Compares a key as servers read it: %73ig is sig.
bool is_key(std::string_view written, std::string_view key) {
  std::size_t k = 0;
  for (std::size_t i = 0; i < written.size(); ++i, ++k) {
    char c = written[i];
    if (c == '%' && i + 2 < written.size() && hex(written[i + 1]) >= 0 && hex(written[i + 2]) >= 0) {
      c = static_cast<char>(hex(written[i + 1]) * 16 + hex(written[i + 2]));
      i += 2;
    }
    if (k >= key.size() || lower(c) != lower(key[k])) return false;
  }
  return k == key.size();
}

bool is_secret(std::string_view written) {
  return std::any_of(std::begin(kSecretKeys), std::end(kSecretKeys),
                     [&](std::string_view key) { return is_key(written, key); });
}

}  // namespace

void append_redacted_query(std::string& out, std::string_view query) {
  while (!query.empty()) {
    const std::size_t end = std::min(query.find_first_of("&;"), query.size());
    const std::string_view pair = query.substr(0, end);
    const std::size_t equals = pair.find('=');
    if (equals != std::string_view::npos && is_secret(pair.substr(0, equals))) {
      out += pair.substr(0, equals + 1);
      out += "REDACTED";
    } else {
      out += pair;
    }
    if (end == query.size()) return;
    out += query[end];
    query.remove_prefix(end + 1);
  }
}

}  // namespace plumb::http
