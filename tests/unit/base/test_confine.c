/* What a confined process may not do, tried by code that is past Lua: each attempt is made by a
 * process of its own, and the kernel ends it. */
#include "base/confine.h"
#include "tests.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROOM ((size_t)64 << 20)

/* 0: it came to the end; else the signal. */
static int confined(void (*attempt)(void))
{
    int how = 0;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (!pid) {
        struct mt_fault fault;
        if (mt_confine(ROOM, &fault))
            _exit(77);
        attempt();
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &how, 0), pid);
    if (WIFEXITED(how))
        assert_int_equal(WEXITSTATUS(how), 0);
    return WIFSIGNALED(how) ? WTERMSIG(how) : 0;
}

static void does_nothing(void) {}
static void computes(void)
{
    char *p = malloc(1 << 20);
    if (!p)
        _exit(2);
    memset(p, 7, 1 << 20);
    free(p);
    if (write(2, "", 0) != 0)
        _exit(3);
}

static void lets_it_do_its_work(void **state)
{
    (void)state;
    assert_int_equal(confined(does_nothing), 0);
    assert_int_equal(confined(computes), 0);
}

#ifndef __SANITIZE_ADDRESS__
static void opens(void)
{
    (void)!open("/etc/passwd", O_RDONLY);
}
static void creates(void)
{
    (void)!creat("/tmp/confined", 0600);
}
static void connects(void)
{
    (void)!socket(AF_INET, SOCK_STREAM, 0);
}
static void pairs(void)
{
    int ends[2];
    (void)!socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
}
static void executes(void)
{
    char *const argv[] = {(char *)"/bin/true", NULL};
    execv("/bin/true", argv);
}
static void forks(void)
{
    (void)!fork();
}
static void traces(void)
{
    (void)ptrace(PTRACE_ATTACH, getppid(), NULL, NULL);
}
static void kills_the_parent(void)
{
    (void)kill(getppid(), SIGTERM);
}
static void reads_the_parent(void)
{
    char byte = 0;
    syscall(SYS_process_vm_readv, 1, &byte, 0, &byte, 0, 0);
}
static void maps_code(void)
{
    (void)mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}
static void makes_code(void)
{
    char *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    (void)mprotect(p, 4096, PROT_READ | PROT_EXEC);
}
static void duplicates(void)
{
    (void)!dup(0);
}
static void asks_for_rings(void)
{
    syscall(425, 1, NULL); /* io_uring_setup: what it does is not seen by the filter */
}
static void makes_a_namespace(void)
{
    syscall(SYS_unshare, 0x10000000);
}
#ifdef __x86_64__
static void speaks_another_tongue(void)
{
    syscall(0x40000000 | SYS_write, 1, "", 0); /* x32 */
}
#endif

static void ends_what_it_must_not_do(void **state)
{
    static void (*const attempts[])(void) = {
        opens,
        creates,
        connects,
        pairs,
        executes,
        forks,
        traces,
        kills_the_parent,
        reads_the_parent,
        maps_code,
        makes_code,
        duplicates,
        asks_for_rings,
        makes_a_namespace,
#ifdef __x86_64__
        speaks_another_tongue,
#endif
    };

    (void)state;
    for (size_t i = 0; i < sizeof attempts / sizeof *attempts; i++) {
        int how = confined(attempts[i]);
        if (how != SIGSYS)
            print_error("attempt %zu: %d\n", i, how);
        assert_int_equal(how, SIGSYS);
    }
}

static void takes_all(void)
{
    for (int i = 0; i < 1000; i++) {
        if (!malloc(1 << 20))
            _exit(0);
    }
    _exit(4);
}

static void has_no_more_memory_than_it_was_given(void **state)
{
    (void)state;
    assert_int_equal(confined(takes_all), 0);
}
#endif

int test_confine(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lets_it_do_its_work),
#ifndef __SANITIZE_ADDRESS__
        cmocka_unit_test(ends_what_it_must_not_do),
        cmocka_unit_test(has_no_more_memory_than_it_was_given),
#endif
    };

#ifdef __SANITIZE_ADDRESS__
    print_message(
        "# what it may not do is tried without a sanitizer, whose own calls are let through\n");
#endif
    return cmocka_run_group_tests(tests, NULL, NULL);
}
