// What the program starts through the shell runs without the runtime, and its status comes back.
// run: HEAPCHECK=normal -> clean; processes 1; stdout child says 7
// static: no, there is no shell to be preloaded
#include "support.h"
#include <sys/wait.h>

int main(void) {
    int status = system("exit 7");
    char line[64] = "";
    FILE *pipe = popen("echo $LD_PRELOAD", "r");
    REQUIRE(pipe != NULL);
    char *read = fgets(line, sizeof line, pipe);
    pclose(pipe);
    REQUIRE(read == NULL || line[0] == '\n');
    printf("child says %d\n", WEXITSTATUS(status));
    return 0;
}
