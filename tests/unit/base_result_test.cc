#include "base/result.h"

#include <doctest/doctest.h>
#include <fcntl.h>

#include <cerrno>
#include <memory>

#include "base/fd.h"

using namespace plumb;

TEST_CASE("a result is a value or an error") {
  Result<int> good = 7;
  REQUIRE(good.ok());
  CHECK(*good == 7);
  Result<int> bad = Error{"cannot", "because", "do that"};
  REQUIRE_FALSE(bad);
  CHECK(bad.error().what == "cannot");
  CHECK(bad.error().why == "because");
  CHECK(bad.error().hint == "do that");

  Result<std::unique_ptr<int>> owner = std::make_unique<int>(3);
  const std::unique_ptr<int> taken = *std::move(owner);
  CHECK(*taken == 3);

  CHECK(Result<void>{}.ok());
  CHECK_FALSE(Result<void>{Error{"x"}}.ok());
}

TEST_CASE("errno as text, by name") {
  CHECK(errno_name(ECONNREFUSED) == "ECONNREFUSED");
  CHECK(errno_name(0).empty());
  CHECK(errno_text(0) == "Success");
  CHECK(errno_name(123456).empty());
  CHECK(errno_text(ENOENT) == "ENOENT: No such file or directory");
  CHECK(errno_text(123456) == "error 123456");
}

namespace {

bool is_open(int fd) {
  return ::fcntl(fd, F_GETFD) != -1;
}

}  // namespace

TEST_CASE("a descriptor is closed once, by its last owner") {
  UniqueFd a(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const int fd = a.get();
  REQUIRE(is_open(fd));
  UniqueFd b = std::move(a);
  CHECK_FALSE(a);
  CHECK(b.get() == fd);
  UniqueFd c(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const int other = c.get();
  c = std::move(b);
  CHECK_FALSE(is_open(other));
  CHECK(is_open(fd));
  UniqueFd& self = c;
  c = std::move(self);
  CHECK(is_open(fd));
  CHECK(c.release() == fd);
  c.reset();
  CHECK(is_open(fd));
  { const UniqueFd last(fd); }
  CHECK_FALSE(is_open(fd));
}
