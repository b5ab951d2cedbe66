/* Is killed before it can be checked. */
#include <signal.h>
#include <stdlib.h>

int main(void) {
    free(malloc(1024));
    raise(SIGKILL);
    return 0;
}
