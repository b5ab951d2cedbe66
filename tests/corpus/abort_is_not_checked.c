// abort ends the program as it would without heapcheck, and the record says that no check ran.
// run: HEAPCHECK=normal -> no-check; signal 6
#include "support.h"

int main(void) {
    lose(1001);
    abort();
}
