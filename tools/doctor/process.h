// `plumb doctor -p PID`: which TLS library or symbols a process has, what of it httptrace would probe, and why not.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "target/tls.h"

namespace plumb {

struct DoctorFile {
  std::string path;
  std::optional<TlsFinding> tls;
  std::string unreadable;  // TLS that is there and out of reach; or why the file could not be read
};

struct DoctorProcess {
  std::uint32_t pid = 0;
  std::size_t code_files = 0;     // mapped with code in them
  std::vector<DoctorFile> files;  // those that say something
};

Result<DoctorProcess> examine_process(std::uint32_t pid);
std::string process_text(const DoctorProcess& process);
std::string process_json(const DoctorProcess& process);

// Examines and prints; an exit status. The files are parsed without any privilege.
int run_process_doctor(std::uint32_t pid, bool json);

}  // namespace plumb
