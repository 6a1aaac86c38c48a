#include "target/maps.h"

#include <doctest/doctest.h>

using namespace plumb;

TEST_CASE("maps: a line of each kind") {
  const auto maps = parse_maps(
      "55d0c0000000-55d0c0001000 r-xp 00001000 fe:01 1234                       /usr/bin/cat\n"
      "7f0000000000-7f0000001000 rw-s 00000000 00:01 99                         /memfd:x y (deleted)\n"
      "7f0000002000-7f0000003000 rw-p 00000000 00:00 0 \n"
      "7ffc00000000-7ffc00001000 r-xp 00000000 00:00 0                          [vdso]\n"
      "7f0000004000-7f0000005000 r--p 00000000 08:02 5                          /tmp/a\\012b\\x\n");
  REQUIRE(maps.size() == 5);
  CHECK(maps[0].start == 0x55d0c0000000);
  CHECK(maps[0].end == 0x55d0c0001000);
  CHECK(maps[0].offset == 0x1000);
  CHECK((maps[0].readable && !maps[0].writable && maps[0].executable));
  CHECK(maps[0].device_major == 0xfe);
  CHECK(maps[0].device_minor == 1);
  CHECK(maps[0].inode == 1234);
  CHECK(maps[0].path == "/usr/bin/cat");
  CHECK(maps[1].path == "/memfd:x y");
  CHECK(maps[1].deleted);
  CHECK(maps[2].path.empty());
  CHECK(maps[3].path == "[vdso]");
  CHECK(maps[4].path == "/tmp/a\nb\\x");
}

TEST_CASE("maps: what is not in the format is skipped") {
  CHECK(parse_maps("").empty());
  CHECK(parse_maps("\n\n\n").empty());
  CHECK(parse_maps("zz-1 r-xp 0 0:0 0 \n").empty());
  CHECK(parse_maps("2000-1000 r-xp 00000000 00:00 0 \n").empty());
  CHECK(parse_maps("1000-2000 r-xp 00000000 00:00 99999999999999999999999 /x\n").empty());
  CHECK(parse_maps("1000-2000 r-xp 00000000 00:00 1 /cut").empty());
  CHECK(parse_maps("1000-2000 r-x\n1000-2000 r-xp 00000000 00:00 1 /x\n").size() == 1);
}

TEST_CASE("maps: each file that code runs from, once") {
  const auto files =
      code_files(parse_maps("1000-2000 r--p 00000000 fe:01 7 /lib/a\n2000-3000 r-xp 00001000 fe:01 7 /lib/a\n"
                            "3000-4000 r-xp 00002000 fe:01 7 /lib/a\n4000-5000 r-xp 00000000 fe:02 7 /lib/b\n"
                            "5000-6000 r-xp 00000000 00:00 0 [vdso]\n"));
  REQUIRE(files.size() == 2);
  CHECK(files[0] == MappedFile{"/lib/a", 7, 0xfe, 1, false, 0x2000, 0x3000});
  CHECK(files[1].path == "/lib/b");
}
