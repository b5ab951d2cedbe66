// A block whose only pointer is in a callee-saved register of a function that has called exit further down is reachable.
// run: HEAPCHECK=normal -> clean
// run: HEAPCHECK=strict -> clean
// run: HEAPCHECK=strict args handler -> clean
// run: HEAPCHECK=strict args thread -> clean
// run: HEAPCHECK=strict HEAPCHECK_ROOTS=all,-registers,-stacks -> leak 1001
#include "support.h"

static uintptr_t hidden;

static void work(void) { hidden = disguise(allocate(1001)); }

/* Calls exit with the true address in r12 only, which exit may overwrite: nobody needs it any more. */
NOINLINE static void end(void) {
    __asm__ volatile(
        "mov %0, %%r12\n xor %1, %%r12\n and $-16, %%rsp\n xor %%edi, %%edi\n call exit@PLT\n"
        :
        : "m"(hidden), "r"(DISGUISE)
        : "rdi", "r12", "memory");
}

static void *thread(void *unused) {
    end();
    return unused;
}

int main(int count, char **arguments) {
    apart(work);
    if (count == 1) end();
    if (strcmp(arguments[1], "handler") == 0) {
        atexit(end);
        return 0;
    }
    pthread_t one;
    REQUIRE(pthread_create(&one, NULL, thread, NULL) == 0);
    pthread_join(one, NULL);
    return 1;
}
