// A program that replaces itself by another ends unchecked, and the other runs without the runtime.
// static: no, a linked runtime comes along
// run: HEAPCHECK=normal -> early; processes 1; stdout replaced
#include "support.h"

int main(int count, char **arguments) {
    if (count > 1) {
        printf("replaced\n");
        return 0;
    }
    lose(1001);
    execl("/proc/self/exe", arguments[0], "again", (char *)NULL);
    return 70;
}
