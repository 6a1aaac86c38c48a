#include "doctor/process.h"

#include <fmt/format.h>

#include <cerrno>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/command_table.h"
#include "probe/attacher.h"
#include "run/confine.h"
#include "target/maps.h"

namespace plumb {
namespace {

DoctorFile examine_file(Attacher& attacher, std::uint32_t pid, const MappedFile& file) {
  DoctorFile out{.path = file.path};
  out.unreadable = unreadable_tls(file.path);
  const bool program = looks_like_program(file.path);
  if (!program && !may_hold_tls(file.path)) return out;
  auto fd = attacher.open_mapped_file(pid, file.start, file.end, file.path, file.inode);
  if (!fd) {
    out.unreadable = "cannot be read: " + fd.error().why;
    return out;
  }
  auto elf = ProgramFile::open(elf_bytes(*std::move(fd)));
  if (!elf) return out;
  out.tls = find_tls(*elf, file.path);
  if (out.tls || !program) return out;
  if (const auto why = unreadable_tls(*elf); !why.empty())
    out.unreadable = why;
  else if (const auto go = elf->go())
    out.unreadable = *go + " program without crypto/tls";
  else if (!elf->has_symbols() && out.unreadable.empty())
    out.unreadable = "has no symbols: TLS linked into it would not be found";
  return out;
}

std::string shown(std::string_view text) {
  std::string out;
  append_printable(out, text);
  return out;
}

std::string finding_text(const TlsFinding& tls) {
  std::string out = fmt::format("    {}{}{}\n", tls_library_name(tls.library),
                                tls.version.empty() ? "" : ", " + shown(tls.version),
                                tls.dynamic                     ? ""
                                : tls.library == TlsLibrary::go ? ""
                                                                : ", linked into the program");
  for (const TlsFunction& f : tls.functions) {
    const std::size_t n = f.returns.size();
    out += fmt::format("    can be probed   {}{}\n", f.name,
                       n == 0 ? "" : fmt::format(" (entry and {} return{})", n, n == 1 ? "" : "s"));
  }
  for (const TlsRefused& r : tls.refused) out += fmt::format("    cannot          {}: {}\n", r.name, r.why);
  return out;
}

nlohmann::ordered_json file_json(const DoctorFile& file) {
  nlohmann::ordered_json out;
  out["path"] = file.path;
  out["library"] = nullptr;
  out["version"] = nullptr;
  out["probed"] = nlohmann::ordered_json::array();
  out["refused"] = nlohmann::ordered_json::array();
  out["why"] = file.unreadable.empty() ? nullptr : nlohmann::ordered_json(file.unreadable);
  if (!file.tls) return out;
  out["library"] = std::string(tls_library_name(file.tls->library));
  if (!file.tls->version.empty()) out["version"] = file.tls->version;
  for (const TlsFunction& f : file.tls->functions)
    out["probed"].push_back({{"function", std::string(f.name)}, {"returns", f.returns.size()}});
  for (const TlsRefused& r : file.tls->refused)
    out["refused"].push_back({{"function", std::string(r.name)}, {"why", r.why}});
  return out;
}

}  // namespace

Result<DoctorProcess> examine_process(std::uint32_t pid) {
  auto attacher = Attacher::start(UprobeKind::perf, {});
  if (!attacher) return std::move(attacher).error();
  give_up_capabilities();
  auto maps = attacher->read_maps(pid);
  if (!maps) {
    Error e = std::move(maps).error();
    if (e.why.starts_with("EACCES") || e.why.starts_with("EPERM"))
      e.hint = "that takes CAP_SYS_PTRACE, or root";
    return e;
  }
  DoctorProcess out{.pid = pid};
  const auto files = code_files(parse_maps(*maps));
  out.code_files = files.size();
  for (const MappedFile& file : files) {
    DoctorFile found = examine_file(*attacher, pid, file);
    if (found.tls || !found.unreadable.empty()) out.files.push_back(std::move(found));
  }
  return out;
}

std::string process_text(const DoctorProcess& process) {
  std::string out = fmt::format("process {}: code of {} file{}\n", process.pid, process.code_files,
                                process.code_files == 1 ? "" : "s");
  bool some = false;
  for (const DoctorFile& file : process.files) {
    out += fmt::format("  {}\n", shown(file.path));
    if (file.tls) out += finding_text(*file.tls);
    if (!file.unreadable.empty()) out += fmt::format("    {}\n", file.unreadable);
    some = some || (file.tls && !file.tls->functions.empty());
  }
  out +=
      some ? "httptrace shows its requests over TLS.\n"
           : "No TLS that httptrace can read is mapped now; a library that is loaded later is found then.\n";
  return out;
}

std::string process_json(const DoctorProcess& process) {
  nlohmann::ordered_json out;
  out["pid"] = process.pid;
  out["code_files"] = process.code_files;
  out["tls"] = nlohmann::ordered_json::array();
  for (const DoctorFile& file : process.files) out["tls"].push_back(file_json(file));
  return out.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + '\n';
}

int run_process_doctor(std::uint32_t pid, bool json) {
  const auto process = examine_process(pid);
  if (!process) {
    print_error(process.error(), false);
    return 1;
  }
  return print(json ? process_json(*process) : process_text(*process));
}

}  // namespace plumb
