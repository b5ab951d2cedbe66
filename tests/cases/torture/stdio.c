// Forks while other threads hold libc's own locks and allocate below them: the lists and files of stdio, the resolver.
//
// `stdio SECONDS FORKS`: libc's fork takes the lock of the list of files after all handlers have run. A thread that
// holds it may wait for a file whose owner waits for the allocator, so the allocator's locks must not be taken first.
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void *flush_all(void *unused) {
    for (;;)
        fflush(NULL);
    return unused;
}

// The buffer of a file is allocated below the lock of that file, when the first byte is written or read.
static void *open_and_write(void *unused) {
    for (;;) {
        FILE *file = fopen("/dev/null", "w");
        if (file == NULL)
            abort();
        fprintf(file, "%s %d\n", "a line", 42);
        fclose(file);
    }
    return unused;
}

// The line grows below the lock of the file, by blocks that no thread has in its cache (glibc bug 19431).
static void *read_a_long_line(void *unused) {
    FILE *file = tmpfile();
    if (file == NULL)
        abort();
    for (int byte = 0; byte < 1 << 20; byte++)
        putc('x', file);
    for (;;) {
        char *line = NULL;
        size_t room = 0;
        rewind(file);
        if (getline(&line, &room, file) != 1 << 20)
            abort();
        free(line);
    }
    return unused;
}

static void *resolve(void *unused) {
    for (;;) {
        struct addrinfo *found = NULL;
        if (getaddrinfo("localhost", "80", NULL, &found) == 0)
            freeaddrinfo(found);
    }
    return unused;
}

int main(int count, char **arguments) {
    int seconds = count > 1 ? atoi(arguments[1]) : 5, most = count > 2 ? atoi(arguments[2]) : 2000, forks = 0;
    void *(*jobs[])(void *) = {flush_all, open_and_write, read_a_long_line, read_a_long_line, resolve};
    for (size_t job = 0; job < sizeof jobs / sizeof *jobs; job++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, jobs[job], NULL) != 0)
            return 1;
        pthread_detach(thread);
    }
    time_t end = time(NULL) + seconds;
    for (; forks < most && time(NULL) < end; forks++) {
        // A fork that hangs ends the process by this signal.
        alarm(400);
        pid_t child = fork();
        if (child == 0) {
            alarm(300);
            FILE *file = fopen("/dev/null", "w");
            fprintf(file, "%p\n", malloc(100));
            fclose(file);
            _exit(7);
        }
        int status = 0;
        if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status) || WEXITSTATUS(status) != 7) {
            printf("fork %d: child %d ended with %#x\n", forks, child, status);
            fflush(stdout);
            _exit(1);
        }
    }
    printf("%d forks\n", forks);
    fflush(stdout);
    _exit(0);
}
