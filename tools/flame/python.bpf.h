/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* The functions of a Python program that the current thread is in, read from the interpreter's own lists. The C stack of
 * such a thread says only how often the interpreter's loop was entered: one entry runs any number of functions that call
 * one another.
 *
 *   _PyRuntime -> who holds the lock, else interpreters -> their threads, by the thread's own number
 *   thread -> the innermost function's frame -> the frame that called it -> ...
 *   frame -> code object -> names
 *
 * Each entry of the loop leaves something in the list that lies on the C stack, in the loop's own frame: in CPython 3.11 a
 * _PyCFrame beside the frames, in later versions a frame that is no function's. Its address is told behind the functions
 * of that entry, and is how the user side finds their place in the C stack. Of a function a number is told, which is made
 * of what is in its code object and of its name, so that a code object that took another's place in memory has another
 * number. Names are told once for each number. Where things lie is the user side's to know (python_program.h). */
#ifndef PLUMB_FLAME_PYTHON_BPF_H
#define PLUMB_FLAME_PYTHON_BPF_H

#include "bpf/kernel_io.h"
#include "bpf/ringbuf.bpf.h"
#include "flame/wire.h"

#define PYTHON_MOST_THREADS 256

/* From offset 8 of a PyCodeObject on, in words; the same in all versions but for the line. */
#define CODE_WORDS 17
#define CODE_TYPE 0
#define CODE_FLAGS 5 /* and, in 3.11, co_warmup, which counts calls */
#define CODE_FILE 13
#define CODE_QUALIFIED_NAME 15

#define FRAME_WORDS 9 /* of an _PyInterpreterFrame */

/* From offset 16 of a string on; no more than what is allocated for the shortest one is read. */
struct python_text {
  __u64 length; /* in characters */
  __u64 hash;   /* of all the text; -1: not made yet */
  __u32 state;
  __u32 pad;
  __u64 begin[3]; /* 3.11 has a pointer here, and then the first characters */
};

/* Processes that run a Python, by process id. The user side inserts and deletes through the memory-mapped .bss, since it
 * has no capabilities by then; full: the others have no Python frames. */
struct flame_python_process python_processes[FLAME_PYTHON_PROCESSES] = {};

/* Where a thread's functions are put together. Key: 0. `busy`: an event came on top of another one on the same CPU; the
 * second goes without. */
struct python_walk {
  __u64 busy;
  __u64 interpreter, thread; /* the next ones to look at */
  __u64 frame, entry;
  __u32 pid, number; /* of the process as plumb sees it; of the thread as it sees itself */
  __u32 process;     /* index */
  __u32 count;
  __u32 cut; /* why the list has no end: FLAME_PYTHON_CUT or FLAME_PYTHON_THREADS */
  __u32 pad;
  __u64 words[FLAME_PYTHON_WORDS + 1];
  __u64 code[CODE_WORDS + 1];
  __u64 frame_words[16];
  struct python_text text;
  struct flame_python_name name;
};

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct python_walk);
} python_walks SEC(".maps");

/* Numbers of functions whose names were told, at the place that the number's own bits give: another one with the same
 * place has the names told again. Always full. The user side sets the number of entries. */
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, __u64);
} python_told SEC(".maps");

static __always_inline struct python_walk* python_walk(void) {
  __u32 zero = 0;

  return bpf_map_lookup_elem(&python_walks, &zero);
}

static __always_inline const struct flame_python_process* python_process(const struct python_walk* w) {
  return &python_processes[w->process & (FLAME_PYTHON_PROCESSES - 1)];
}

static __always_inline int python_stop(struct python_walk* w) {
  w->cut = FLAME_PYTHON_CUT;
  return 1;
}

static __always_inline bool is_own_thread(const struct python_walk* w, __u64 thread) {
  __u64 number = 0;

  if (bpf_probe_read_user(&number, sizeof(number), (void*)(thread + python_process(w)->layout.thread_number)))
    return false;
  return number == w->number;
}

/* Looks at one thread, or goes to the next interpreter. Returns 1 at the end, found or not. A function of its own, as
 * python_step(), since the verifier walks a loop turn by turn, but a function once. */
__noinline int python_find_thread(void) {
  struct python_walk* w = python_walk();
  const struct flame_python_layout* layout;

  if (!w) return 1;
  layout = &python_process(w)->layout;
  if (!w->thread) {
    __u64 at = w->interpreter;

    if (!at) return 1;
    if (bpf_probe_read_user(&w->thread, sizeof(w->thread), (void*)(at + layout->interpreter_threads)) ||
        bpf_probe_read_user(&w->interpreter, sizeof(w->interpreter), (void*)(at + layout->interpreter_next)))
      return python_stop(w);
    return 0;
  }
  if (is_own_thread(w, w->thread)) return 1;
  if (bpf_probe_read_user(&w->thread, sizeof(w->thread), (void*)(w->thread + layout->thread_next)))
    return python_stop(w);
  return 0;
}

static __always_inline __u64 python_mix(__u64 number, __u64 word) {
  number = (number ^ word) * 0x9e3779b97f4a7c15ULL;
  return number ^ number >> 29;
}

/* The number of the function whose code and name were read. */
static __always_inline __u64 python_number(const struct python_walk* w) {
  __u64 n = python_mix(w->pid, w->text.length);

  for (int i = 1; i < CODE_WORDS; i++) {
    if (i != CODE_FLAGS) n = python_mix(n, w->code[i]);
  }
  n = python_mix(n, w->text.hash);
  n = python_mix(n, w->text.state);
  n = python_mix(n, w->text.begin[0]);
  n = python_mix(n, w->text.begin[1]);
  n = python_mix(n, w->text.begin[2]);
  return n | FLAME_PYTHON_FUNCTION;
}

/* Reads a text's end, or its begin, and says how much of it there is. Texts that no compiler makes are left out. */
static __always_inline void python_read_text(struct flame_python_text* to, const struct python_walk* w,
                                             __u64 object, const bool end) {
  const struct flame_python_layout* layout = &python_process(w)->layout;
  const struct python_text* text = &w->text;
  __u32 kind = text->state >> 2 & 7;
  bool compact = text->state >> 5 & 1, ascii = text->state >> 6 & 1;
  __u64 from = object + (ascii ? layout->text_ascii : layout->text_other), bytes = text->length * kind;

  to->bytes = 0;
  to->kind = kind;
  to->length = text->length;
  if (!compact || (kind != 1 && kind != 2 && kind != 4) || text->length > FLAME_PYTHON_TEXT_MOST) return;
  if (bytes > FLAME_PYTHON_TEXT) {
    if (end) from += bytes - FLAME_PYTHON_TEXT;
    bytes = FLAME_PYTHON_TEXT;
  }
  barrier_var(bytes);
  if (bytes <= FLAME_PYTHON_TEXT && !bpf_probe_read_user(to->text, bytes, (void*)from)) to->bytes = bytes;
}

/* The first bytes of a string. */
static __always_inline bool python_read_string(struct python_walk* w, __u64 object) {
  __u32 bytes = python_process(w)->layout.text_bytes;

  barrier_var(bytes);
  if (bytes > sizeof(w->text)) return false;
  __builtin_memset(&w->text, 0, sizeof(w->text));
  return !bpf_probe_read_user(&w->text, bytes, (void*)(object + 16));
}

/* Tells the names of a function unless it was done before. What finds no room is told with the next sample. */
static __always_inline void python_tell(struct python_walk* w, __u64 number) {
  __u32 at = number >> 1 & (FLAME_PYTHON_TOLD - 1);
  __u64* told = bpf_map_lookup_elem(&python_told, &at);
  __u64 file = w->code[CODE_FILE];

  if (!told || *told == number) return;
  w->name.number = number;
  w->name.pid = w->pid;
  w->name.line = ((__u32*)w->code)[python_process(w)->layout.code_line & 31];
  python_read_text(&w->name.function, w, w->code[CODE_QUALIFIED_NAME], false);
  w->name.file.bytes = 0;
  w->name.file.length = 0;
  if (python_read_string(w, file)) python_read_text(&w->name.file, w, file, true);
  if (!bpf_ringbuf_output(&events, &w->name, sizeof(w->name), wake_up())) *told = number;
}

static __always_inline int python_add(struct python_walk* w, __u64 word) {
  __u32 at = w->count;

  if (at >= FLAME_PYTHON_WORDS) return python_stop(w);
  w->words[at] = word;
  w->count = at + 1;
  return 0;
}

/* In 3.11: where the entry is whose last function that was, and the entry before it. That one says itself which function
 * it is in: the loop makes its entry the current one a few instructions before it says which frame that runs, so that
 * until then the innermost entry leads through what an earlier one left there on the C stack. */
static __always_inline int python_leave_entry(struct python_walk* w) {
  __u64 entry = w->entry;

  if (python_add(w, entry & ~1ULL)) return 1;
  if (bpf_probe_read_user(&w->entry, sizeof(w->entry),
                          (void*)(entry + python_process(w)->layout.entry_previous)))
    return python_stop(w);
  if (w->entry && bpf_probe_read_user(&w->frame, sizeof(w->frame),
                                      (void*)(w->entry + python_process(w)->layout.entry_frame)))
    return python_stop(w);
  return 0;
}

/* Goes to the next frame. Returns 1 at the end. */
__noinline int python_step(void) {
  struct python_walk* w = python_walk();
  const struct flame_python_layout* layout;
  __u64 at, code;
  bool mark;

  if (!w || !w->frame) return 1;
  layout = &python_process(w)->layout;
  at = w->frame;
  if (bpf_probe_read_user(w->frame_words, FRAME_WORDS * 8, (void*)at)) return python_stop(w);
  mark = ((__u8*)w->frame_words)[layout->frame_mark & 127] == layout->mark;
  w->frame = w->frame_words[layout->frame_previous & 15];
  if (mark && layout->mark_is_entry) return python_add(w, at & ~1ULL);
  code = w->frame_words[layout->frame_code & 15];
  if (bpf_probe_read_user(w->code, CODE_WORDS * 8, (void*)(code + 8)) ||
      w->code[CODE_TYPE] != python_process(w)->code_type)
    return python_stop(w);
  if (python_read_string(w, w->code[CODE_QUALIFIED_NAME])) {
    __u64 number = python_number(w);

    if (python_add(w, number)) return 1;
    python_tell(w, number);
  } else if (python_add(w, FLAME_PYTHON_FUNCTION)) {
    return 1;
  }
  return mark ? python_leave_entry(w) : 0;
}

/* The number by which the current thread knows itself, in the innermost PID namespace. */
static __always_inline __u32 own_thread_number(void) {
  struct task_struct___numbers* task = (void*)bpf_get_current_task();
  struct pid* pid = BPF_CORE_READ(task, thread_pid);
  __u32 level = BPF_CORE_READ(pid, level);
  int number = 0;

  bpf_probe_read_kernel(&number, sizeof(number),
                        (char*)&pid->numbers[0].nr + level * bpf_core_type_size(struct upid));
  return number;
}

static __always_inline bool python_is_known(__u32 pid, struct python_walk* w) {
  for (__u32 i = 0; i < FLAME_PYTHON_PROBES; i++) {
    __u32 at = (flame_python_place(pid) + i) & (FLAME_PYTHON_PROCESSES - 1);

    if (python_processes[at].pid != pid) continue;
    w->process = at;
    return true;
  }
  return false;
}

/* The lock's holder is most often the thread that runs. False: the thread runs no Python, or `cut` says that the
 * interpreter's lists could not be read. */
static __always_inline bool python_thread(struct python_walk* w) {
  const struct flame_python_process* p = python_process(w);
  __u64 holder = 0;

  if (p->layout.runtime_holder &&
      !bpf_probe_read_user(&holder, sizeof(holder), (void*)(p->runtime + p->layout.runtime_holder)) &&
      holder && is_own_thread(w, holder)) {
    w->thread = holder;
    return true;
  }
  w->thread = 0;
  if (bpf_probe_read_user(&w->interpreter, sizeof(w->interpreter),
                          (void*)(p->runtime + p->layout.runtime_interpreters)))
    return !python_stop(w);
  for (int i = 0; i < PYTHON_MOST_THREADS; i++) {
    if (python_find_thread()) return w->thread && !w->cut;
  }
  w->cut = FLAME_PYTHON_THREADS;
  return false;
}

/* The innermost frame, which a _PyCFrame points to where there are any. */
static __always_inline bool python_first_frame(struct python_walk* w) {
  const struct flame_python_layout* layout = &python_process(w)->layout;
  __u64 top = 0;

  if (bpf_probe_read_user(&top, sizeof(top), (void*)(w->thread + layout->thread_top))) return !python_stop(w);
  w->entry = top;
  w->frame = top;
  if (layout->has_entries &&
      bpf_probe_read_user(&w->frame, sizeof(w->frame), (void*)(top + layout->entry_frame)))
    return !python_stop(w);
  return true;
}

#define PYTHON_UNKNOWN -1
#define PYTHON_BUSY -2
#define PYTHON_FLAGS 16 /* bits of the number of words; above it are flags of the sample */

static __always_inline void python_walk_frames(struct python_walk* w) {
  w->count = 0;
  w->cut = 0;
  w->number = own_thread_number();
  if (!python_thread(w) || !python_first_frame(w)) return;
  for (int i = 0; i <= FLAME_PYTHON_WORDS; i++) {
    if (python_step()) break;
  }
}

/* Walks the current thread's frames. The number of words, which stay until `busy` is cleared, or PYTHON_UNKNOWN: the
 * process is none that runs Python; or PYTHON_BUSY. */
__noinline int python_collect(void) {
  struct python_walk* w = python_walk();
  __u32 pid = bpf_get_current_pid_tgid() >> 32;

  if (!w) return PYTHON_UNKNOWN;
  if (w->busy) return PYTHON_BUSY;
  if (!python_is_known(pid, w)) return PYTHON_UNKNOWN;
  w->busy = 1;
  w->pid = pid;
  python_walk_frames(w);
  return w->count | w->cut << PYTHON_FLAGS;
}

/* Appends the current thread's functions to a sample's stack, which has room (constant) for them behind a page more than
 * `room`. */
static __always_inline void take_python(struct flame_sample* s, __u8* stack, const __u32 room) {
  int words = python_collect();
  struct python_walk* w;
  __u64 bytes, at = s->stack_bytes;

  if (words == PYTHON_BUSY) s->flags |= FLAME_PYTHON_BUSY;
  if (words < 0) return;
  w = python_walk();
  if (!w) return;
  bytes = (words & ((1 << PYTHON_FLAGS) - 1)) * 8ULL;
  barrier_var(bytes);
  barrier_var(at);
  if (at <= room + FLAME_PAGE && bytes <= FLAME_PYTHON_BYTES &&
      !bpf_probe_read_kernel(stack + at, bytes, w->words)) {
    s->python_bytes = bytes;
    s->flags |= FLAME_PYTHON_LOOKED | words >> PYTHON_FLAGS;
  }
  w->busy = 0;
}

#endif
