// --ready-file: made when every probe is attached and privileges are dropped, and never there before.
#pragma once

#include <memory>
#include <string>
#include <thread>

#include "base/fd.h"
#include "base/result.h"

namespace plumb {

class ReadyFile {
 public:
  // Removes what an earlier run left at `path` (empty: no file is wanted). An Error: something else is there.
  static Result<ReadyFile> prepare(const std::string& path);
  ReadyFile() = default;
  ReadyFile(ReadyFile&&) noexcept = default;
  ReadyFile& operator=(ReadyFile&&) noexcept = default;
  ~ReadyFile();

  // Before privileges drop. Under sudo the directory is often the user's, and root without CAP_DAC_OVERRIDE may not
  // write there: a thread keeps what it has until it has made the file, and only then.
  Result<void> arm();
  Result<void> create();

 private:
  std::string path_;
  UniqueFd go_;  // a byte: create it; closed: do not
  std::thread maker_;
  std::shared_ptr<int> error_;  // of the thread, once it has ended
};

}  // namespace plumb
