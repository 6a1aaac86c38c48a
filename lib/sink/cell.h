// A value as people read it in a table: `-` for unknown, 1.20ms, 1.2K, 09:41:07.123. What prints tables uses
// this.
#pragma once

#include <cstddef>
#include <string>

#include "event/field.h"
#include "sink/formats.h"
#include "sink/port_names.h"
#include "sink/time_text.h"

namespace plumb {

// Three significant digits at every size: 834ns, 83.4us, 1.20ms, 3.10s; from 1000 s on 16m40s, 2h46m, 3d04h.
void append_human_duration(std::string& out, Duration d);
// As ls -h: below 1024 exactly, then 1.2K, 12K, 123M with powers of 1024, rounded to the nearest.
void append_human_bytes(std::string& out, std::uint64_t bytes);

// Cuts printable text to at most `columns` of a terminal; what is cut ends in an ellipsis.
void shorten(std::string& text, std::size_t columns);
// The same for an address with its port, which stays: [2001:db8:…]:443.
void shorten_endpoint(std::string& text, std::size_t columns);

class CellWriter {
 public:
  CellWriter(TableStyle::Time style, UnixTime started) : style_(style), started_(started) {}

  // From here on ports are written by name, where they have one; nullptr: as numbers. Not owned.
  void name_ports(const PortNames* names) { ports_ = names; }

  // Appends `value` of a field of type `type` and returns the columns that it takes.
  std::size_t append(std::string& out, FieldType type, const Value& value);
  // The same of a field that may be a port.
  std::size_t append_of(std::string& out, const FieldSpec& field, const Value& value);
  // An address with its port: 192.0.2.1:443, [::1]:443; without the port where that is not known.
  std::size_t append_endpoint(std::string& out, const Value& address, const Value& port);

  // The columns that times take in this style.
  std::size_t time_width() const;

 private:
  void append_time(std::string& out, UnixTime t);
  void append_port(std::string& out, std::uint64_t port) const;

  TableStyle::Time style_;
  UnixTime started_;
  LocalOffset local_;
  const PortNames* ports_ = nullptr;
};

}  // namespace plumb
