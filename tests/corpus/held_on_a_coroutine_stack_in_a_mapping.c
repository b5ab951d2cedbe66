// A block on the stack of a suspended coroutine is doubtful when this stack is a mapping that only the program knows.
// run: HEAPCHECK=normal -> clean
// run: HEAPCHECK=strict -> leak 1001
// run: HEAPCHECK=normal HEAPCHECK_ROOTS=all,-maps -> leak 1001
#include "support.h"
#include <sys/mman.h>
#include <ucontext.h>

static ucontext_t main_context, context;

static void coroutine(void) {
    void *volatile held[3] = {NULL, allocate(1001), NULL};
    scrub();
    swapcontext(&context, &main_context);
    release(held[1]);
}

static void work(void) {
    getcontext(&context);
    context.uc_stack.ss_size = 131072;
    context.uc_stack.ss_sp = mmap(NULL, 131072, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    makecontext(&context, coroutine, 0);
    swapcontext(&main_context, &context);
}

int main(void) {
    apart(work);
    return 0;
}
