/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* What is kept of a program that was started, for processes that end at once. Read by C (BPF) and C++. */
#ifndef PLUMB_EXECUTABLE_H
#define PLUMB_EXECUTABLE_H

#include <linux/types.h>

#define EXECUTABLE_MAX_PATH 232

/* By pid (thread group id). */
struct executable {
  __u64 start_ns; /* of the process, CLOCK_BOOTTIME: the pid may be another's by now */
  __u64 inode;    /* of the file */
  __u32 mount_ns; /* inode number of the namespace in which the path is one */
  __u32 padding;
  char path
      [EXECUTABLE_MAX_PATH]; /* as the file was named to execve(2); of a script its interpreter. Empty: too long */
};

#ifdef __cplusplus
static_assert(sizeof(executable) == 256);
#else
_Static_assert(sizeof(struct executable) == 256, "wire struct");
#endif

#endif
