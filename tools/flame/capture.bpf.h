/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* Takes a stack: the kernel's part walked by the kernel, of the user's part the registers and a copy of the memory, for
 * plumb to walk by call-frame information. Binaries without frame pointers cannot be walked here. */
#ifndef PLUMB_FLAME_CAPTURE_BPF_H
#define PLUMB_FLAME_CAPTURE_BPF_H

#include "bpf/filter.bpf.h"
#include "bpf/kernel_io.h"
#include "bpf/ringbuf.bpf.h"
#include "flame/wire.h"

const volatile struct flame_config config = {.stack_most = FLAME_PAGE, .user = 1, .kernel = 1};

#include "flame/python.bpf.h"

#if defined(__TARGET_ARCH_x86)

/* struct pt_regs of the user interface (asm/ptrace.h), which the kernel's own agrees with. */
struct user_registers {
  __u64 r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di, orig_ax, ip, cs, flags, sp, ss;
};

static __always_inline void take_registers(struct flame_sample* s, const struct user_registers* r) {
  s->registers[0] = r->ax;
  s->registers[1] = r->dx;
  s->registers[2] = r->cx;
  s->registers[3] = r->bx;
  s->registers[4] = r->si;
  s->registers[5] = r->di;
  s->registers[6] = r->bp;
  s->registers[7] = r->sp;
  s->registers[8] = r->r8;
  s->registers[9] = r->r9;
  s->registers[10] = r->r10;
  s->registers[11] = r->r11;
  s->registers[12] = r->r12;
  s->registers[13] = r->r13;
  s->registers[14] = r->r14;
  s->registers[15] = r->r15;
  s->registers[16] = r->ip;
}

#elif defined(__TARGET_ARCH_arm64)

struct user_registers {
  __u64 regs[31], sp, pc, pstate;
};

static __always_inline void take_registers(struct flame_sample* s, const struct user_registers* r) {
  for (int i = 0; i < 31; i++) s->registers[i] = r->regs[i];
  s->registers[31] = r->sp;
  s->registers[32] = r->pc;
}

#endif

/* The registers with which the thread will go on in user mode: they lie at the end of its kernel stack. Before Linux
 * 5.15 no helper tells where that is; then the stack has the size of a kernel without KASAN, and nothing behind them. */
#if defined(__TARGET_ARCH_x86)
#define OLD_STACK_BYTES (4 * 4096)
#define OLD_STACK_PADDING 0
#else
#define OLD_STACK_BYTES (4 * 4096)
#define OLD_STACK_PADDING 16
#endif

static __always_inline int read_registers(struct user_registers* to) {
  if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_task_pt_regs) &&
      bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_get_current_task_btf)) {
    void* regs = (void*)bpf_task_pt_regs(bpf_get_current_task_btf());

    return bpf_probe_read_kernel(to, sizeof(*to), regs);
  } else {
    struct task_struct* task = (struct task_struct*)bpf_get_current_task();
    char* stack = BPF_CORE_READ(task, stack);

    return bpf_probe_read_kernel(to, sizeof(*to), stack + OLD_STACK_BYTES - OLD_STACK_PADDING - sizeof(*to));
  }
}

/* Copies the stack from `sp` on, page by page: what is not mapped ends it, and a thread's stack ends in such a page.
 * `to` has `room` (constant) for bytes and a page more. Returns the bytes. The pages are counted by the constant first, or
 * the verifier goes through as many rounds as --stack-size may ask for: 7 of 11 ms that loading takes. */
static __always_inline __u32 copy_stack(__u8* to, const __u32 room, __u64 sp, __u64 most) {
  __u32 got = 0;

  for (__u32 i = 0; i < room / FLAME_PAGE + 1; i++) {
    __u32 chunk = FLAME_PAGE - ((sp + got) & (FLAME_PAGE - 1));

    if (i > config.stack_most / FLAME_PAGE) break;
    if (got >= room || got >= config.stack_most || got >= most) break;
    if (bpf_probe_read_user(to + got, chunk, (void*)(sp + got))) break;
    got += chunk;
  }
  return got;
}

/* A process's first thread has its stack below the arguments and the environment, which hold no frames: 1 KiB of them
 * is enough for what the first function reads. */
static __always_inline __u64 stack_in_use(struct task_struct* task, __u64 sp) {
  __u64 top = BPF_CORE_READ(task, mm, start_stack) + 1024;

  return sp < top && top - sp < (1ULL << 32) ? top - sp : 1ULL << 32;
}

/* The user's part of the current thread. */
static __always_inline void take_user_stack(struct flame_sample* s, __u8* stack, const __u32 room) {
  struct task_struct* task = (struct task_struct*)bpf_get_current_task();
  struct user_registers registers;
  __u64 sp, used;

  if (!config.user || (BPF_CORE_READ(task, flags) & PF_KTHREAD) || !BPF_CORE_READ(task, mm)) return;
  if (read_registers(&registers)) return;
  take_registers(s, &registers);
  sp = s->registers[FLAME_STACK_POINTER];
  used = stack_in_use(task, sp);
  s->stack_bytes = copy_stack(stack, room, sp, used);
  s->flags |= FLAME_HAS_USER;
  if ((s->stack_bytes >= config.stack_most || s->stack_bytes >= room) && s->stack_bytes < used)
    s->flags |= FLAME_STACK_CUT;
  if (config.python) take_python(s, stack, room);
}

/* Fills all of a sample of the current thread but its identity. `ctx` is the program's, for the kernel's helper; `stack`
 * has `room` (constant) for bytes and a page more. */
static __always_inline void fill_sample(void* ctx, struct flame_sample* s, __u8* stack, const __u32 room,
                                        bool kernel) {
  long bytes = 0;

  s->time_ns = bpf_ktime_get_ns();
  s->value = 1;
  s->flags = 0;
  s->stack_bytes = 0;
  s->python_bytes = 0;
  s->woken = 0;
  s->cpu = bpf_get_smp_processor_id();
  bpf_get_current_comm(s->thread_comm, sizeof(s->thread_comm));
  if (kernel) bytes = bpf_get_stack(ctx, s->kernel, sizeof(s->kernel), 0);
  s->kernel_bytes = bytes > 0 ? bytes : 0;
  take_user_stack(s, stack, room);
}

/* Fills a sample of the current thread. False: the filters leave it out. */
static __always_inline bool take_sample(void* ctx, struct flame_sample* s, __u8* stack, const __u32 room) {
  __u32 pid = bpf_get_current_pid_tgid() >> 32;

  if (!pid && !config.idle) return false;
  identify_current(&s->task);
  if (!task_selected(&s->task)) return false;
  count_seen();
  fill_sample(ctx, s, stack, room, config.kernel);
  return true;
}

/* Sends a sample with its stack, which lies behind it and has `room` (constant) for bytes and a page more. */
static __always_inline void send_sample(struct flame_sample* s, const __u32 room) {
  __u64 size = sizeof(*s) + s->stack_bytes + s->python_bytes;

  if (size > sizeof(*s) + room + FLAME_PAGE + FLAME_PYTHON_BYTES) return;
  if (bpf_ringbuf_output(&events, s, size, wake_up())) count_loss(LOSS_RINGBUF_FULL);
}

#endif
