// A block on the stack of a suspended coroutine is reachable through the heap block that is this stack.
// run: HEAPCHECK=normal -> clean
// run: HEAPCHECK=strict -> clean
// run: HEAPCHECK=normal HEAPCHECK_ROOTS=all,-globals -> leak 1001, 131072, ...
#include "support.h"
#include <ucontext.h>

static ucontext_t main_context;
static ucontext_t *coroutine_context;
static void *coroutine_stack;

static void coroutine(void) {
    void *volatile held[3] = {NULL, allocate(1001), NULL};
    scrub();
    swapcontext(coroutine_context, &main_context);
    release(held[1]);
}

static void work(void) {
    static ucontext_t context;
    coroutine_context = &context;
    getcontext(&context);
    coroutine_stack = allocate(131072);
    context.uc_stack.ss_sp = coroutine_stack;
    context.uc_stack.ss_size = 131072;
    makecontext(&context, coroutine, 0);
    swapcontext(&main_context, &context);
}

int main(void) {
    apart(work);
    return 0;
}
