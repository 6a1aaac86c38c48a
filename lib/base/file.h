// Files that plumb creates where others may write too.
#pragma once

#include <string>

#include "base/fd.h"

namespace plumb {

// open(2), mode 0644, but in a directory where everybody may create and only owners may remove (/tmp) no symbolic link
// is followed that is neither ours nor the directory's owner's: ELOOP. The kernel refuses the same where
// fs.protected_symlinks is set; in many containers it is not.
UniqueFd open_unfooled(const std::string& path, int flags);

}  // namespace plumb
