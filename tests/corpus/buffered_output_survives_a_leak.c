// What the program wrote to a buffered stdout is there when a leak ends it with 23.
// run: HEAPCHECK=normal -> leak direct 1001; stdout the last words
// run: HEAPCHECK=strict -> leak direct 1001; stdout the last words
// run: HEAPCHECK=normal args quick -> leak direct 1001
#include "support.h"

int main(int count, char **arguments) {
    (void)arguments;
    printf("the last words");
    lose(1001);
    if (count > 1) quick_exit(0);
    return 0;
}
