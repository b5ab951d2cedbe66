/* Leaves past all exit handlers. */
#include <stdlib.h>
#include <unistd.h>

int main(void) {
    free(malloc(1025));
    _exit(0);
}
