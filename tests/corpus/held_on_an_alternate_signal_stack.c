// A block whose only pointer is on an alternate signal stack is reachable while its thread is in the handler.
// The stack is a mapping; without mappings as roots it counts because the thread runs on it.
// run: HEAPCHECK=normal -> clean
// run: HEAPCHECK=normal HEAPCHECK_ROOTS=all,-maps -> clean
// run: HEAPCHECK=strict -> clean
// run: HEAPCHECK=normal HEAPCHECK_ROOTS=all,-maps,-stacks,-registers -> leak 1001, ...
#include "support.h"
#include <sys/mman.h>

static void handler(int signal) {
    (void)signal;
    void *volatile held[3] = {NULL, allocate(1001), NULL};
    scrub_stack();
    announce();
    pause_for_ever();
    (void)held[1];
}

static void *thread(void *unused) {
    (void)unused;
    stack_t stack;
    memset(&stack, 0, sizeof stack);
    stack.ss_size = 256 * 1024;
    stack.ss_sp = mmap(NULL, stack.ss_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    sigaltstack(&stack, NULL);
    raise(SIGUSR1);
    return NULL;
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
