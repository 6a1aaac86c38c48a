#include "base/say.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <string>
#include <thread>

using namespace plumb;

namespace {

struct Ends {
  static Ends pipe() {
    std::array<int, 2> fds{};
    REQUIRE(::pipe2(fds.data(), O_CLOEXEC) == 0);
    return {UniqueFd(fds[0]), UniqueFd(fds[1])};
  }
  static Ends socket() {
    std::array<int, 2> fds{};
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds.data()) == 0);
    return {UniqueFd(fds[0]), UniqueFd(fds[1])};
  }
  // What waits to be read.
  std::string taken() const {
    std::string all;
    char chunk[4096];
    pollfd some{reader.get(), POLLIN, 0};
    while (::poll(&some, 1, 0) == 1) {
      const ssize_t n = ::read(reader.get(), chunk, sizeof chunk);
      if (n <= 0) break;
      all.append(chunk, static_cast<std::size_t>(n));
    }
    return all;
  }
  UniqueFd reader, writer;
};

// A write that blocks for ever ends the test program, in red.
struct Alarm {
  Alarm() { ::alarm(60); }
  ~Alarm() { ::alarm(0); }
};

}  // namespace

TEST_CASE("what is said comes out whole") {
  Ends pipe = Ends::pipe();
  Speaker speaker(pipe.writer.get());
  speaker.text("plumb: one\n");
  CHECK(speaker.text_at_once("plumb: two\n"));
  CHECK(pipe.taken() == "plumb: one\nplumb: two\n");
}

TEST_CASE("a reader that is gone, a full disk and a closed descriptor are borne") {
  const auto before = std::signal(SIGPIPE, SIG_IGN);  // as main() does
  Ends pipe = Ends::pipe();
  Speaker to_pipe(pipe.writer.get());
  pipe.reader.reset();
  to_pipe.text("nobody hears this\n");
  CHECK_FALSE(to_pipe.text_at_once("nor this\n"));
  std::signal(SIGPIPE, before);

  Ends socket = Ends::socket();
  Speaker to_socket(socket.writer.get());
  socket.reader.reset();
  to_socket.text("nobody hears this\n");  // and SIGPIPE is not raised

  UniqueFd full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
  Speaker to_full(full.get());
  to_full.text("no room\n");
  CHECK_FALSE(to_full.text_at_once("no room\n"));

  Speaker to_nothing(-1);
  to_nothing.text("nowhere\n");
  CHECK_FALSE(to_nothing.text_at_once("nowhere\n"));
}

TEST_CASE("a reader that hangs does not hold up who speaks") {
  const Alarm alarm;
  for (const Ends& ends : {Ends::pipe(), Ends::socket()}) {
    Speaker speaker(ends.writer.get());
    const std::string much(1 << 20, 'x');  // more than any of them holds
    speaker.text(much);
    speaker.text("dropped\n");
    CHECK(ends.taken().find("dropped") == std::string::npos);
    speaker.text("heard again\n");  // on a line of its own
    CHECK(ends.taken() == "\nheard again\n");
    CHECK((::fcntl(ends.writer.get(), F_GETFL) & O_NONBLOCK) == 0);  // it is shared with others
  }
}

TEST_CASE("a slow reader hears everything") {
  const Alarm alarm;
  Ends pipe = Ends::pipe();
  Speaker speaker(pipe.writer.get(), 30'000);
  const std::size_t size = 1 << 17;  // twice what a pipe holds
  std::size_t heard = 0;
  std::thread reader([&] {
    char chunk[4096];
    for (ssize_t n = 0; heard < size && (n = ::read(pipe.reader.get(), chunk, sizeof chunk)) > 0;)
      heard += static_cast<std::size_t>(n);
  });
  speaker.text(std::string(size, 'x'));
  reader.join();
  CHECK(heard == size);
}
