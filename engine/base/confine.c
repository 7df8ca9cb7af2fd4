/* The filter is written down as the kernel takes it: a list of numbers and two looks at an
 * argument, which is all that a library would be used for. */
#include "base/confine.h"

#include "base/fs.h"
#include "base/mem.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#elif defined(__riscv)
#define ARCHITECTURE AUDIT_ARCH_RISCV64
#endif

#define DESCRIPTORS_MAX 4 /* poll takes no more than the limit; those are taken */
#define RULES_MAX       160

/* What a sanitizer asks the kernel for is nobody's promise: a build with one, which only tests
 * have, is let do what else it does. */
#ifdef __SANITIZE_ADDRESS__
#define OTHERWISE SECCOMP_RET_ALLOW
#else
#define OTHERWISE SECCOMP_RET_KILL_PROCESS
#endif

/* What a Lua state and an event loop need of the kernel, with descriptors that are open already. */
static const int allowed[] = {
    SYS_read,          SYS_write,           SYS_recvfrom,        SYS_sendto,
    SYS_ppoll,         SYS_epoll_ctl,       SYS_epoll_pwait,     SYS_futex,
    SYS_brk,           SYS_munmap,          SYS_mremap,          SYS_madvise,
    SYS_clock_gettime, SYS_gettimeofday,    SYS_getrandom,       SYS_sched_yield,
    SYS_rt_sigreturn,  SYS_rt_sigprocmask,  SYS_restart_syscall, SYS_exit,
    SYS_exit_group,    SYS_set_robust_list, /* of a thread that was made before and begins after */
#ifdef SYS_rseq
    SYS_rseq,
#endif
#ifdef SYS_poll
    SYS_poll,
#endif
#ifdef SYS_epoll_wait
    SYS_epoll_wait,
#endif
#ifdef SYS_time
    SYS_time,
#endif
};
#define ALLOWED_N (sizeof allowed / sizeof *allowed)

struct program {
    struct sock_filter rules[RULES_MAX];
    unsigned short n;
};

static void rule(struct program *p, uint16_t code, uint32_t k, unsigned jt, unsigned jf)
{
    if (p->n < RULES_MAX)
        p->rules[p->n++] = (struct sock_filter){code, (uint8_t)jt, (uint8_t)jf, k};
}

static void answer(struct program *p, uint32_t what)
{
    rule(p, BPF_RET | BPF_K, what, 0, 0);
}

static void load(struct program *p, size_t offset)
{
    rule(p, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

/* Memory, but no code. The protection is the third argument of both calls. */
static void allow_data(struct program *p, uint32_t number)
{
    rule(p, BPF_JMP | BPF_JEQ | BPF_K, number, 0, 4);
    load(p, offsetof(struct seccomp_data, args) + 2 * sizeof(uint64_t));
    rule(p, BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 0, 1);
    answer(p, SECCOMP_RET_KILL_PROCESS);
    answer(p, SECCOMP_RET_ALLOW);
}

#ifdef ARCHITECTURE
static enum mt_rc filter(struct mt_fault *fault)
{
    struct program p = {.n = 0};

    load(&p, offsetof(struct seccomp_data, arch));
    rule(&p, BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0);
    answer(&p, SECCOMP_RET_KILL_PROCESS);
    load(&p, offsetof(struct seccomp_data, nr));
    for (size_t i = 0; i < ALLOWED_N; i++) {
        rule(&p, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)allowed[i], 0, 1);
        answer(&p, SECCOMP_RET_ALLOW);
    }
    allow_data(&p, SYS_mmap);
    allow_data(&p, SYS_mprotect);
    answer(&p, OTHERWISE);

    struct sock_fprog program = {p.n, p.rules};
    if (p.n == RULES_MAX ||
        syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) != 0)
        return mt_fault_set(fault, MT_ERR_UNSUPPORTED, "isolated.seccomp",
                            "this kernel does not take the filter of system calls (seccomp)");
    return MT_OK;
}
#else
static enum mt_rc filter(struct mt_fault *fault)
{
    return mt_fault_set(fault, MT_ERR_UNSUPPORTED, "isolated.seccomp",
                        "scripts are isolated on x86-64, arm64 and riscv64 only");
}
#endif

/* Libraries and what threads reserve count as memory, so the limit begins at what there is. */
#ifndef __SANITIZE_ADDRESS__
static bool limit_memory(size_t memory_bytes)
{
    char *text = NULL;
    size_t len = 0;
    struct rlimit limit;

    if (mt_fs_read_all("/proc/self/statm", 4096, &text, &len))
        return false;
    unsigned long long pages = strtoull(text, NULL, 10);
    mt_mem_free(text);
    limit.rlim_cur = limit.rlim_max = pages * (rlim_t)sysconf(_SC_PAGESIZE) + memory_bytes;
    return pages && setrlimit(RLIMIT_AS, &limit) == 0;
}
#else
static bool limit_memory(size_t memory_bytes)
{
    return memory_bytes > 0; /* the sanitizer reserves more than any machine has */
}
#endif

static bool limit(int what, rlim_t n)
{
    struct rlimit value = {n, n};
    return setrlimit((__rlimit_resource_t)what, &value) == 0;
}

enum mt_rc mt_confine(size_t memory_bytes, struct mt_fault *fault)
{
    tzset(); /* reads a file: os.date must not */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0 ||
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 ||
        !limit_memory(memory_bytes) || !limit(RLIMIT_CORE, 0) || !limit(RLIMIT_FSIZE, 0) ||
        !limit(RLIMIT_NPROC, 0) || !limit(RLIMIT_NOFILE, DESCRIPTORS_MAX))
        return mt_fault_set(fault, MT_ERR_UNSUPPORTED, "isolated.limits",
                            "the limits of a process of its own cannot be set");
    return filter(fault);
}
