/* Frees what it has. */
#include <stdlib.h>

int main(void) {
    free(malloc(1023));
    return 0;
}
