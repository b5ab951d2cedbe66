// A scope's check gives the bytes that the scope lost, and nothing that was lost before it, after it, or is still held.
// run: HEAPCHECK=local -> leak 1002; stdout before 0 inside 1002 second 0
// run: HEAPCHECK=normal -> leak 1001, 1002, 1003; stdout before 0 inside 1002 second 0
#include "heapcheck.h"
#include "support.h"

int main(void) {
    lose(1001);
    unsigned scope = heapcheck_scope_begin("first");
    long before = heapcheck_scope_check(scope);
    lose(1002);
    void *volatile held = allocate(500);
    long inside = heapcheck_scope_check(scope);
    heapcheck_scope_end(scope);
    release(held);
    lose(1003);
    unsigned other = heapcheck_scope_begin("second");
    release(allocate(77));
    long second = heapcheck_scope_check(other);
    heapcheck_scope_end(other);
    printf("before %ld inside %ld second %ld\n", before, inside, second);
    return 0;
}
