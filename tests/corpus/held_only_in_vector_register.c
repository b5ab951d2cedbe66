// A block whose only pointer is in the high half of a vector register of another thread is reachable.
// run: HEAPCHECK=normal -> clean
// run: HEAPCHECK=normal HEAPCHECK_STOP=ptrace,stack -> clean
// run: HEAPCHECK=normal HEAPCHECK_ROOTS=all,-registers -> leak 1001
#include "support.h"

static uintptr_t hidden;

static void work(void) { hidden = disguise(allocate(1001)); }

static void *thread(void *unused) {
    (void)unused;
    __asm__ volatile(
        "mov %0, %%r12\n xor %1, %%r12\n movq %%r12, %%xmm9\n xor %%r12d, %%r12d\n pslldq $8, %%xmm9\n movl $1, %2\n"
        "1: mov $34, %%eax\n syscall\n jmp 1b\n"
        :
        : "m"(hidden), "r"(DISGUISE), "m"(announced)
        : "rax", "rcx", "r11", "r12", "xmm9", "memory");
    return NULL;
}

int main(void) {
    apart(work);
    start_detached(thread, NULL);
    await(1);
    return 0;
}
