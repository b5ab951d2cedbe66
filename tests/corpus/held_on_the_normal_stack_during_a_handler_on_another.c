// A block on a thread's normal stack is reachable while the thread is in a handler on its alternate stack.
// run: HEAPCHECK=normal -> clean
// run: HEAPCHECK=strict -> clean
// run: HEAPCHECK=normal HEAPCHECK_ROOTS=all,-stacks -> leak 1001, ...
#include "support.h"
#include <sys/mman.h>

static void handler(int signal) {
    (void)signal;
    announce();
    pause_for_ever();
}

static void *thread(void *unused) {
    (void)unused;
    void *volatile held[3] = {NULL, allocate(1001), NULL};
    stack_t stack;
    memset(&stack, 0, sizeof stack);
    stack.ss_size = 64 * 1024;
    stack.ss_sp = mmap(NULL, stack.ss_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    sigaltstack(&stack, NULL);
    scrub();
    raise(SIGUSR1);
    return held[1];
}

int main(void) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = handler;
    action.sa_flags = SA_ONSTACK;
    sigaction(SIGUSR1, &action, NULL);
    start_detached(thread, NULL);
    await(1);
    return 0;
}
