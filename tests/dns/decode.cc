// Reads DNS messages in hexadecimal, one a line, and prints what the decoder makes of each, one a line, fields between
// tabs: bad, cut or whole; id, flags, response code; the question's name, type and class; the size in OPT or -; the
// number of answers; then each answer's TTL and text.
#include <cstddef>
#include <iostream>
#include <span>
#include <string>
#include <vector>

#include "dns/message.h"

namespace {

std::vector<std::byte> bytes_of(const std::string& hex) {
  std::vector<std::byte> out;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
    out.push_back(static_cast<std::byte>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  return out;
}

}  // namespace

int main() {
  plumb::dns::Message m;
  for (std::string line; std::getline(std::cin, line);) {
    const auto decoded = m.decode(bytes_of(line));
    if (decoded == plumb::dns::Decoded::bad) {
      std::cout << "bad\n";
      continue;
    }
    const auto size = m.edns_udp_bytes();
    std::cout << (m.cut() ? "cut" : "whole") << '\t' << m.id() << '\t' << m.flags() << '\t' << m.rcode()
              << '\t' << m.name() << '\t' << m.type() << '\t' << m.question_class() << '\t'
              << (size ? std::to_string(*size) : "-") << '\t' << m.answer_count();
    for (std::size_t i = 0; i < m.answers().size(); ++i)
      std::cout << '\t' << m.ttls()[i] << '\t' << m.answers()[i];
    std::cout << '\n';
  }
  return 0;
}
