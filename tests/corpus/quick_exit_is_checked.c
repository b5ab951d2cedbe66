// quick_exit is checked too.
// run: HEAPCHECK=normal -> leak direct 1001; exit 23
// run: HEAPCHECK=normal args 5 -> leak direct 1001; exit 5
#include "support.h"

int main(int count, char **arguments) {
    lose(1001);
    quick_exit(count > 1 ? atoi(arguments[1]) : 0);
}
