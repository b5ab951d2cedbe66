// What an inner scope lost belongs to it; the outer one goes on where it was left.
// run: HEAPCHECK=local -> leak 1001, 1002; stdout inner 1002 outer 1001
#include "heapcheck.h"
#include "support.h"

int main(void) {
    unsigned outer = heapcheck_scope_begin("outer");
    unsigned inner = heapcheck_scope_begin("inner");
    lose(1002);
    long inner_bytes = heapcheck_scope_check(inner);
    heapcheck_scope_end(inner);
    lose(1001);
    printf("inner %ld outer %ld\n", inner_bytes, heapcheck_scope_check(outer));
    heapcheck_scope_end(outer);
    return 0;
}
