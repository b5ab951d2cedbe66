// Where a filter denies ptrace the check works as ever.
// run: HEAPCHECK=normal -> leak direct 1001
// run: HEAPCHECK=normal args clean -> clean
#include "support.h"
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

static void *thread(void *unused) {
    void *volatile held[3] = {NULL, allocate(1002), NULL};
    scrub();
    announce();
    pause_for_ever();
    return held[1] ? unused : NULL;
}

int main(int count, char **arguments) {
    (void)arguments;
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ptrace, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
    REQUIRE(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    REQUIRE(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
    start_detached(thread, NULL);
    await(1);
    if (count == 1) lose(1001);
    return 0;
}
