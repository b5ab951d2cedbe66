// heapcheck_is_active tells whether this process is being checked.
// run: HEAPCHECK=normal -> clean; stdout active 1
// run: HEAPCHECK=local -> clean; stdout active 1
// run: HEAPCHECK= -> unchecked; stdout active 0
#include "heapcheck.h"
#include "support.h"

int main(void) {
    printf("active %d\n", heapcheck_is_active());
    return 0;
}
