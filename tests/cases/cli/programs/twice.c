/* Frees a block twice. */
#include <stdlib.h>

int main(void) {
    char *block = malloc(1027);
    free(block);
    free(block);
    return 0;
}
