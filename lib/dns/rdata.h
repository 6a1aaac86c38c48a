// The data of a resource record as text, as a master file has it.
#pragma once

#include <cstdint>
#include <string>

#include "dns/reader.h"

namespace plumb::dns {

// Appends the data of a record of `type`, all of `in` (see Reader::within). What is not known, or does not
// fit its type, comes as RFC 3597 has it: \# LENGTH HEX.
void append_rdata(std::string& out, std::uint16_t type, Reader in);

}  // namespace plumb::dns
