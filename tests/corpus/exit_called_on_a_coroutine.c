// When the program ends on a coroutine's stack, both this stack and the whole stack of main are searched.
// run: HEAPCHECK=normal -> clean
// run: HEAPCHECK=strict -> clean
// run: HEAPCHECK=normal HEAPCHECK_ROOTS=all,-stacks,-maps -> leak 1001, 1002, ...
#include "support.h"
#include <sys/mman.h>
#include <ucontext.h>

static ucontext_t main_context, context;

static void coroutine(void) {
    void *volatile held[3] = {NULL, allocate(1001), NULL};
    scrub();
    exit(0);
    release(held[1]);
}

int main(void) {
    void *volatile held[3] = {NULL, allocate(1002), NULL};
    scrub();
    getcontext(&context);
    context.uc_stack.ss_size = 262144;
    context.uc_stack.ss_sp = mmap(NULL, 262144, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    makecontext(&context, coroutine, 0);
    swapcontext(&main_context, &context);
    return held[1] != NULL;
}
