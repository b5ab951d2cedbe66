// A lost list of a thousand nodes is one direct leak and 999 indirect ones.
// run: HEAPCHECK=normal -> leak direct 48, indirect 48x999; keeps 47952
#include "support.h"

static void work(void) {
    void **head = NULL;
    for (int i = 0; i < 1000; i++) {
        void **node = (void **)allocate(48);
        node[0] = head;
        head = node;
    }
}

int main(void) {
    apart(work);
    return 0;
}
