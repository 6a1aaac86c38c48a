#include "run/invoking_user.h"

#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <memory>
#include <string_view>

namespace plumb {
namespace {

using File = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

std::string_view environment(const char* name) {
  const char* text = std::getenv(name);
  return text == nullptr ? std::string_view{} : text;
}

// -1 is no id: setresuid(2) takes it for "leave as it is".
Result<id_t> id_from_environment(const char* name) {
  const std::string_view text = environment(name);
  id_t id = 0;
  const auto [rest, status] = std::from_chars(text.data(), text.data() + text.size(), id);
  if (status == std::errc{} && rest == text.data() + text.size() && id != std::numeric_limits<id_t>::max())
    return id;
  return Error{"cannot tell as whom to run the command",
               std::string(name) + (text.empty() ? " is missing" : " is no id: " + std::string(text)),
               "sudo sets SUDO_UID and SUDO_GID; unset both to run the command as root"};
}

// /etc/passwd and /etc/group are read directly: getpwuid(3) in a static executable would load the target's
// NSS modules.
void look_up(User& user) {
  if (const File file(std::fopen("/etc/passwd", "re"), std::fclose); file != nullptr) {
    while (const passwd* entry = ::fgetpwent(file.get())) {
      if (entry->pw_uid != user.uid) continue;
      user.name = entry->pw_name;
      user.home = entry->pw_dir;
      break;
    }
  }
  if (const File file(std::fopen("/etc/group", "re"), std::fclose); file != nullptr) {
    while (const group* entry = ::fgetgrent(file.get())) {
      for (char** member = entry->gr_mem; *member != nullptr; ++member) {
        if (user.name == *member) user.groups.push_back(entry->gr_gid);
      }
    }
  }
}

// An unknown value is unset, so that the command does not take root's for its own.
void set_or_unset(const char* name, const std::string& value) {
  if (value.empty()) {
    ::unsetenv(name);
  } else {
    ::setenv(name, value.c_str(), 1);
  }
}

}  // namespace

Result<std::optional<User>> invoking_user() {
  if (::geteuid() != 0 || environment("SUDO_UID").empty()) return std::optional<User>{};
  auto uid = id_from_environment("SUDO_UID");
  if (!uid) return std::move(uid).error();
  if (*uid == 0) return std::optional<User>{};
  auto gid = id_from_environment("SUDO_GID");
  if (!gid) return std::move(gid).error();
  User user{*uid, *gid, std::string(environment("SUDO_USER")), {}, {*gid}};
  look_up(user);
  return std::optional(std::move(user));
}

bool become(const User& user) {
  if (::setgroups(user.groups.size(), user.groups.data()) != 0) return false;
  if (::setresgid(user.gid, user.gid, user.gid) != 0) return false;
  if (::setresuid(user.uid, user.uid, user.uid) != 0) return false;
  set_or_unset("HOME", user.home);
  set_or_unset("USER", user.name);
  set_or_unset("LOGNAME", user.name);
  return true;
}

}  // namespace plumb
