/* Is clean itself, and starts a program that leaks. */
#include <stdlib.h>

int main(void) {
    free(malloc(1026));
    return system("./leaks");
}
