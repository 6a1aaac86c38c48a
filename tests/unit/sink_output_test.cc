#include "sink/output.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <thread>

using namespace plumb;

namespace {

struct TemporaryFile {
  TemporaryFile() { ::close(::mkstemp(path)); }
  ~TemporaryFile() { ::unlink(path); }
  std::string content() const {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  char path[32] = "/tmp/plumb-output-XXXXXX";
};

struct Pipe {
  Pipe() {
    int fds[2];
    REQUIRE(::pipe2(fds, O_CLOEXEC) == 0);
    reader.reset(fds[0]);
    writer.reset(fds[1]);
  }
  std::string path() const { return "/proc/self/fd/" + std::to_string(writer.get()); }
  UniqueFd reader, writer;
};

Output open(const std::string& path) {
  auto output = Output::file(path);
  REQUIRE_MESSAGE(output.ok(), path);
  return *std::move(output);
}

}  // namespace

TEST_CASE("a file gets what was buffered, in order, and is truncated first") {
  TemporaryFile file;
  std::ofstream(file.path) << "older and longer than what comes";
  Output output = open(file.path);
  CHECK_FALSE(output.is_terminal());
  output.buffer() = "one\n";
  CHECK(output.write_out().ok());
  CHECK(output.buffer().empty());
  output.buffer() = "two\n";
  CHECK(output.maybe_write().ok());
  CHECK(file.content() == "one\n");  // little waits until it is worth a write
  CHECK(output.write_out().ok());
  CHECK(file.content() == "one\ntwo\n");
}

TEST_CASE("a full chunk is written without being asked") {
  TemporaryFile file;
  Output output = open(file.path);
  output.buffer().assign(Output::kChunk, 'x');
  CHECK(output.maybe_write().ok());
  CHECK(file.content().size() == Output::kChunk);
}

TEST_CASE("a file that cannot be opened is an error that names it") {
  const auto output = Output::file("/nonexistent/x.json");
  REQUIRE_FALSE(output.ok());
  CHECK(output.error().what == "cannot write /nonexistent/x.json");
  CHECK(output.error().why == "ENOENT: No such file or directory");
}

TEST_CASE("a full disk is an error that says what to do, and drops what waited") {
  Output output = open("/dev/full");
  output.buffer() = "line\n";
  const auto r = output.write_out();
  REQUIRE_FALSE(r.ok());
  CHECK(r.error().what == "cannot write to /dev/full");
  CHECK(r.error().why == "ENOSPC: No space left on device");
  CHECK(r.error().hint == "free some space, or choose another place with --output");
  CHECK(output.buffer().empty());
  CHECK_FALSE(output.closed());
}

TEST_CASE("a reader that went away is an end, not an error") {
  const auto before = std::signal(SIGPIPE, SIG_IGN);  // as the run loop does
  Pipe pipe;
  Output output = open(pipe.path());
  pipe.reader.reset();
  output.buffer() = "line\n";
  CHECK(output.write_out().ok());
  CHECK(output.closed());
  CHECK(output.buffer().empty());
  output.buffer() = "more\n";
  CHECK(output.write_out().ok());
  CHECK(output.buffer().empty());
  std::signal(SIGPIPE, before);
}

TEST_CASE("a full pipe is waited for, without burning CPU") {
  Pipe pipe;
  Output output = open(pipe.path());
  const std::string sent(1 << 20, 'y');  // 16 times what a pipe holds
  output.buffer() = sent;

  timespec began{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &began);
  rusage before{};
  getrusage(RUSAGE_THREAD, &before);
  std::size_t received = 0;
  std::thread reader([&] {
    char chunk[65536];
    for (ssize_t n; received < sent.size() && (n = ::read(pipe.reader.get(), chunk, sizeof chunk)) > 0;) {
      received += static_cast<std::size_t>(n);
    }
  });
  const auto r = output.write_out();
  reader.join();
  CHECK(r.ok());
  CHECK(received == sent.size());
  rusage after{};
  getrusage(RUSAGE_THREAD, &after);
  CHECK(after.ru_nvcsw > before.ru_nvcsw);  // it slept
}

TEST_CASE("a stalled reader does not hold up the end") {
  Pipe pipe;
  Pipe stop;
  REQUIRE(::write(stop.writer.get(), "x", 1) == 1);
  Output output = open(pipe.path());
  output.stop_when_readable(stop.reader.get());
  output.buffer().assign(1 << 20, 'z');
  CHECK(output.write_out().ok());
  CHECK(output.closed());  // nobody reads: the rest is given up
  CHECK(output.buffer().empty());
}

TEST_CASE("nor does one that stalls after the end was asked for") {
  Pipe pipe;
  Output output = open(pipe.path());
  output.stop_requested();
  output.buffer().assign(1 << 20, 'z');
  CHECK(output.write_out().ok());
  CHECK(output.closed());
}

TEST_CASE("an end that was asked for does not cut what is read") {
  Pipe pipe;
  Pipe stop;
  REQUIRE(::write(stop.writer.get(), "x", 1) == 1);
  Output output = open(pipe.path());
  output.stop_when_readable(stop.reader.get());
  output.buffer().assign(1 << 20, 'z');
  std::size_t received = 0;
  std::thread reader([&] {
    char chunk[65536];
    for (ssize_t n; received < (1U << 20) && (n = ::read(pipe.reader.get(), chunk, sizeof chunk)) > 0;) {
      received += static_cast<std::size_t>(n);
    }
  });
  CHECK(output.write_out().ok());
  reader.join();
  CHECK(received == 1U << 20);
  CHECK_FALSE(output.closed());
}

TEST_CASE("a non-blocking descriptor that another program shares keeps its mode") {
  Pipe pipe;
  const int before = ::fcntl(pipe.writer.get(), F_GETFL);
  Output output = open(pipe.path());
  output.buffer() += 'x';
  CHECK(output.write_out().ok());
  CHECK(::fcntl(pipe.writer.get(), F_GETFL) == before);
}
