// Programs that are started keep no preload by default, and may keep it on demand.
// static: no, a linked runtime comes along
// run: HEAPCHECK=normal -> clean; processes 1; stdout preload no
// run: HEAPCHECK=normal HEAPCHECK_CHILDREN=all -> clean; processes 2; stdout preload yes
// run: HEAPCHECK=normal HEAPCHECK_CHILDREN=/nowhere -> clean; processes 1
#include "support.h"
#include <spawn.h>
#include <sys/wait.h>

extern char **environ;

int main(int count, char **arguments) {
    if (count > 1) {
        char maps[1 << 16];
        FILE *file = fopen("/proc/self/maps", "r");
        size_t length = fread(maps, 1, sizeof maps - 1, file);
        fclose(file);
        maps[length] = 0;
        printf("preload %s\n", strstr(maps, "heapcheck.so") ? "yes" : "no");
        return 0;
    }
    char *child_arguments[] = {arguments[0], (char *)"child", NULL};
    pid_t child;
    REQUIRE(posix_spawn(&child, "/proc/self/exe", NULL, NULL, child_arguments, environ) == 0);
    int status = 0;
    waitpid(child, &status, 0);
    REQUIRE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    return 0;
}
