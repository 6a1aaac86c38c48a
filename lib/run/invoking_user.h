// The user that called sudo: as whom a command under trace runs.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace plumb {

struct User {
  uid_t uid = 0;
  gid_t gid = 0;
  std::string name;           // empty: not known
  std::string home;           // empty: not known
  std::vector<gid_t> groups;  // the supplementary ones with `gid`
};

// By SUDO_UID, SUDO_GID and SUDO_USER, with name, home and groups from /etc/passwd and /etc/group. Nothing
// when plumb does not run as root (then it could become nobody else, and has the caller's ids anyway),
// without SUDO_UID, and when it is root who called sudo.
//
// A SUDO_UID or SUDO_GID that is no id is an Error. Programs for which being root is the stricter case, such
// as git's check of owners, may ignore it; here that would run the command as root, against the promise.
Result<std::optional<User>> invoking_user();

// Takes on ids, groups, HOME, USER and LOGNAME, for good. False: errno says why.
bool become(const User& user);

}  // namespace plumb
