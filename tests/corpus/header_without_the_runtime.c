// A program that uses heapcheck.h runs without the runtime as if it did not.
// run: HEAPCHECK= -> unchecked; stdout active 0 scope 0 found 0 0
// run: -> unchecked; stdout active 0 scope 0 found 0 0
#include "heapcheck.h"
#include "support.h"

int main(void) {
    unsigned scope = heapcheck_scope_begin("quiet");
    heapcheck_disable();
    heapcheck_enable();
    heapcheck_ignore(&scope);
    heapcheck_root_region_add(&scope, sizeof scope);
    heapcheck_root_region_remove(&scope, sizeof scope);
    lose(1001);
    printf("active %d scope %u found %ld %ld\n", heapcheck_is_active(), scope, heapcheck_scope_check(scope),
           heapcheck_check_now());
    heapcheck_scope_end(scope);
    return 0;
}
