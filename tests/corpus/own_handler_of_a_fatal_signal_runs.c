// A program that handles SIGSEGV itself does so undisturbed.
// run: HEAPCHECK=normal -> clean; exit 5; stdout handled
#include "support.h"

static void handler(int signal) {
    (void)signal;
    write(1, "handled\n", 8);
    exit(5);
}

int main(void) {
    signal(SIGSEGV, handler);
    *(volatile int *)(uintptr_t)(getpid() < 0) = 1;
    return 0;
}
